import { MIN_BYTES_PER_SECOND } from '../../fleet/move/throttle.ts'
import { checkUsage, UsageError } from './usage-error.ts'

/*
 * The one place where numbers, durations and rates of the command line are parsed. Each function names the flag or the
 * argument in its UsageError, and shows what was typed.
 */

/** Parses an integer. If `assertFits` throws a RangeError for it, the call is wrong. */
export function parseInteger(
  name: string,
  text: string,
  assertFits: (value: number) => void = () => undefined,
): number {
  if (!/^-?\d{1,9}$/.test(text)) throw unfit(name, 'an integer', text)
  return checkUsage(() => {
    assertFits(Number(text))
    return Number(text)
  })
}

/** Parses a whole number from `min` on. */
export function parseWhole(name: string, text: string, { min = 1, max = Infinity } = {}): number {
  if (/^\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text)
  throw unfit(name, `a whole number from ${min}${max === Infinity ? '' : ` to ${max}`}`, text)
}

/** Parses `20%` or `20` as 0.2. */
export function parsePercent(name: string, text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d+)?)%?$/.exec(text) ?? []
  if (digits !== undefined && Number(digits) <= 100) return Number(digits) / 100
  throw unfit(name, '0% to 100%', text)
}

const timeUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Parses `500ms`, `2s`, `10m` or `1h` as milliseconds. */
export function parseDuration(name: string, text: string): number {
  const [, amount, unit] = /^(\d{1,7})(ms|s|m|h)$/.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) return Number(amount) * timeUnits[unit as keyof typeof timeUnits]
  throw unfit(name, 'a time such as 500ms, 2s, 10m or 1h', text)
}

const byteUnits = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const

/** Parses `20MB` or `20MB/s` as bytes per second, in steps of 1024 as PostgreSQL counts them. */
export function parseByteRate(name: string, text: string): number {
  const [, amount, unit] = /^(\d{1,7}(?:\.\d{1,3})?) ?([kmg]b)(?:\/s)?$/i.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) {
    const rate = Math.round(Number(amount) * byteUnits[unit.toLowerCase() as keyof typeof byteUnits])
    if (rate >= MIN_BYTES_PER_SECOND) return rate
  }
  throw unfit(name, 'at least 64kB per second, such as 500kB, 20MB or 1GB', text)
}

function unfit(name: string, wanted: string, text: string): UsageError {
  return new UsageError(`${name} must be ${wanted}, got ${JSON.stringify(text)}`)
}
