/**
 * The 64 bits of a key, from the top: 41 bits of milliseconds since the epoch, 13 bits of logical shard, 10 bits of
 * sequence. The layout is that of "Sharding & IDs at Instagram", and the one the original `hypervault` wrote to disk.
 *
 * PostgreSQL has no unsigned bigint, so from 2048-07-20 on (with the default epoch) ids are negative. They are decoded
 * as unsigned and handled as signed everywhere else; in creation order the negative ones come after the positive ones.
 */

/** Milliseconds of 2013-09-16T21:05:31.352Z, from which the keys of the original `hypervault` count. */
export const DEFAULT_EPOCH_MS = 1_379_365_531_352

/** Bits of the logical shard. */
export const SHARD_BITS = 13n
/** Bits of the sequence, the lowest ones. */
export const SEQUENCE_BITS = 10n
/** Bits below the time. */
export const TIME_SHIFT = SHARD_BITS + SEQUENCE_BITS

/** Largest logical shard that fits into a key. */
export const MAX_SHARD_ID = 8191
/** Largest sequence that fits into a key. */
export const MAX_ADDED_ID = 1023
/** Largest number of milliseconds after the epoch that fits into a key: 69 years. */
export const MAX_ELAPSED_MS = 2 ** 41 - 1

/** Smallest signed 64-bit number. */
export const MIN_ID = -(2n ** 63n)
/** Largest signed 64-bit number. */
export const MAX_ID = 2n ** 63n - 1n

/** The three parts of a key, as plain numbers. */
export interface KeyParts {
  readonly elapsedMs: number
  readonly shardId: number
  readonly addedId: number
}

/** Packs checked parts into the signed id. */
export function packId({ elapsedMs, shardId, addedId }: KeyParts): bigint {
  return BigInt.asIntN(64, (BigInt(elapsedMs) << TIME_SHIFT) | (BigInt(shardId) << SEQUENCE_BITS) | BigInt(addedId))
}

/** Milliseconds between the epoch and the creation of this id. */
export function elapsedMsOf(id: bigint): number {
  return Number(BigInt.asUintN(64, id) >> TIME_SHIFT)
}

/** Logical shard of this id. */
export function shardIdOf(id: bigint): number {
  return Number(BigInt.asUintN(23, id)) >> 10
}

/** Sequence of this id. */
export function addedIdOf(id: bigint): number {
  return Number(BigInt.asUintN(10, id))
}
