import { MAX_SHARD_ID } from './layout.ts'

/** Throws unless the value is an integer from 0 to 8191: TypeError for another type, RangeError for another number. */
export function assertShardId(value: unknown, name = 'shardId'): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${describeType(value)}`)
  if (!Number.isInteger(value) || value < 0 || value > MAX_SHARD_ID) {
    throw new RangeError(`${name} must be an integer from 0 to ${MAX_SHARD_ID}, got ${value}`)
  }
}

/** Schema of a logical shard, with at least four digits as the original wrote it: `shard0005`. */
export function shardSchema(shardId: number): string {
  return `shard${String(shardId).padStart(4, '0')}`
}

/** Names the type of a value for a message, never the value itself. */
export function describeType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? `an object of class ${value.constructor?.name ?? 'Object'}` : typeof value
}
