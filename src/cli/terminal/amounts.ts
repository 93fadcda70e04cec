import { formatRuns } from '../../topology/like-failures.ts'

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** `1.2 MB`, in steps of 1024 as PostgreSQL counts them. */
export function formatBytes(bytes: number): string {
  const step = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const amount = bytes / 1024 ** step
  return `${step === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[step]}`
}

/** `17,343`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** Shards as runs: `1-3, 7`. Unlike the ranges of `connections`, the ends are included. */
export function formatShards(shardIds: readonly number[]): string {
  return formatRuns(shardIds)
}
