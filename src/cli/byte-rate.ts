import { MIN_BYTES_PER_SECOND } from '../fleet/move/throttle.ts'
import { UsageError } from './usage-error.ts'

const units = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const

/** Reads `20MB` or `20MB/s` as bytes in a second, in steps of 1024 as PostgreSQL counts them. */
export function parseByteRate(flag: string, text: string): number {
  const [, amount, unit] = /^(\d{1,7}(?:\.\d{1,3})?) ?([kmg]b)(?:\/s)?$/i.exec(text) ?? []
  if (amount !== undefined && unit !== undefined) {
    const rate = Math.round(Number(amount) * units[unit.toLowerCase() as keyof typeof units])
    if (rate >= MIN_BYTES_PER_SECOND) return rate
  }
  throw new UsageError(
    `${flag} must be 64kB or more in a second, such as 500kB, 20MB or 1GB, got ${JSON.stringify(text)}`,
  )
}
