import { assertInteger } from '../arguments/arguments.ts'
import { MAX_SHARD_ID } from './layout.ts'

/** Throws unless the value is an integer from 0 to 8191: TypeError for another type, RangeError for another number. */
export function assertShardId(value: unknown, name = 'shardId'): asserts value is number {
  assertInteger(name, value, 0, MAX_SHARD_ID)
}

/** Schema of a logical shard, with at least four digits as the original wrote it: `shard0005`. */
export function shardSchema(shardId: number): string {
  return `shard${String(shardId).padStart(4, '0')}`
}
