import { assertOptions, assertSignal } from '../../../arguments/arguments.ts'
import { checkQuery, type CheckedQuery } from '../../find/find-query.ts'
import { checkPolicy, checkShards, type ScanQuery, type ShardErrorPolicy } from '../scan-query.ts'

/** What to count. */
export interface CountOptions extends Omit<ScanQuery, 'order'> {
  /** Whether a shard that cannot be read fails the count (default), or is left out and named in the report. */
  readonly onShardError?: ShardErrorPolicy
  /** Ends the count with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Checked options of a count. */
export interface CheckedCount {
  readonly query: CheckedQuery
  /** Undefined for all shards of the topology. */
  readonly shardIds: readonly number[] | undefined
  readonly isSkipping: boolean
  readonly signal: AbortSignal | undefined
}

const names = ['kind', 'where', 'createdAfter', 'createdBefore', 'shards', 'onShardError', 'signal']

/** Checks the options of a count; TypeError or RangeError names the option. */
export function checkCount(options: unknown, epochMs: number): CheckedCount {
  assertOptions('a count', options, names)
  const { shards, onShardError, signal, ...query } = options as CountOptions
  assertSignal(signal)
  return Object.freeze({
    query: checkQuery(query, epochMs),
    shardIds: checkShards(shards),
    isSkipping: checkPolicy(onShardError),
    signal,
  })
}
