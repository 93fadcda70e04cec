import { createHash } from 'node:crypto'
import type { CheckedQuery } from '../find/find-query.ts'

/** Bytes of the hash of a shape: enough that no cursor is taken for one of another query by accident. */
export const SHAPE_BYTES = 6

/**
 * A hash of what a query means: order, kind, where, bounds of time, shards and the epoch of the keys. The place to go on
 * from, the sizes of pages and what is done about errors do not belong to it.
 */
export function hashOfShape(
  { isAscending, kind, where, bounds }: CheckedQuery,
  shardIds: readonly number[] | undefined,
  epochMs: number,
): Buffer {
  const times = [String(bounds.first), String(bounds.last)]
  const shape = JSON.stringify([isAscending, kind ?? null, where, times, shardIds ?? null, epochMs])
  return createHash('sha256').update(shape).digest().subarray(0, SHAPE_BYTES)
}
