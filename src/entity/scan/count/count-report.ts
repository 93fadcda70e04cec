import { HypervaultError, isHypervaultError } from '../../../errors.ts'
import { describeFailures } from '../../../topology/like-failures.ts'
import type { MissingShard } from '../scan-page.ts'

/** How many entities a shard has. */
export interface ShardCount {
  readonly shardId: number
  readonly count: number
}

/** What a count over shards has come to. */
export interface CountReport {
  /** Entities in all shards that were counted. */
  readonly total: number
  /** Each shard that was counted, ascending. */
  readonly shards: readonly ShardCount[]
  /** Each shard that could not be counted, ascending, and why; with `onShardError: 'throw'` none. */
  readonly missingShards: readonly MissingShard[]
}

/** Sums up what was counted. */
export function countReport(counts: readonly ShardCount[], missing: readonly MissingShard[]): CountReport {
  const total = counts.reduce((sum, { count }) => sum + count, 0)
  return Object.freeze({ total, shards: inOrder(counts), missingShards: inOrder(missing) })
}

/** The error of a count that some shards did not answer. It tells what the others have. */
export function countError({ shards, missingShards }: CountReport): HypervaultError<'HV_COUNT_FAILED'> {
  const failures = missingShards.map(({ shardId, serverId, error }) => ({
    shardId,
    ...(serverId !== undefined && { serverId }),
    ...(isHypervaultError(error) && { code: error.code }),
    message: error instanceof Error ? error.message : String(error),
  }))
  const [first] = missingShards
  const message = `${failures.length} of ${failures.length + shards.length} shards could not be counted: ${describeFailures(failures).join('; ')}`
  return new HypervaultError('HV_COUNT_FAILED', message, { failures, counted: [...shards] }, { cause: first?.error })
}

function inOrder<T extends { readonly shardId: number }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.shardId - b.shardId)
}
