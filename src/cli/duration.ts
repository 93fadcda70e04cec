import { UsageError } from './usage-error.ts'

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Reads `500ms`, `2s`, `10m` or `1h` as milliseconds. */
export function parseDuration(flag: string, text: string): number {
  const [, amount, unit] = /^(\d{1,7})(ms|s|m|h)$/.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) return Number(amount) * units[unit as keyof typeof units]
  throw new UsageError(`${flag} must be a time such as 500ms, 2s, 10m or 1h, got ${JSON.stringify(text)}`)
}
