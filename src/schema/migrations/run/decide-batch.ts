/** What is known of how long a migration takes on a server. */
export interface BatchReading {
  /** Shards in which it has run of late. */
  readonly shards: number
  /** How long that took, all of them. */
  readonly ms: number
}

/**
 * Longest time that the shards of one transaction are meant to wait for each other. Longer is hardly faster, because
 * what a transaction costs is small against it; much shorter sends each shard by itself.
 */
const TARGET_MS = 25

/** More would exhaust the lock table of the server, when a migration makes many tables. */
const MAX_SHARDS = 32

/** Decides how many shards a transaction takes: one as long as nothing is known, or when each takes long. */
export function decideBatchSize({ shards, ms }: BatchReading): number {
  if (shards === 0) return 1
  const fitting = Math.floor((TARGET_MS * shards) / ms)
  return Math.max(1, Math.min(MAX_SHARDS, fitting))
}
