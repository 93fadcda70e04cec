import { noiseOf, type Summary } from '../measure/statistics.ts'

/** Three digits that count: `171,000`, `12.3`, `0.348`. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

/** `± 4 %`: how far the samples are from the median; nothing for a single one. */
export function formatNoise(summary: Summary): string {
  return summary.low === summary.high ? '' : `± ${Math.round(noiseOf(summary) * 100)} %`
}

/** `14.2 (12.9 … 15.1)`. */
export function formatRange({ median, low, high }: Summary): string {
  const middle = formatNumber(median)
  return low === high ? middle : `${middle} (${formatNumber(low)} … ${formatNumber(high)})`
}
