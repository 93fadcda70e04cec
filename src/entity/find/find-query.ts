import { assertInteger, assertParts, describeType } from '../../arguments/arguments.ts'
import { Key } from '../../key/key.ts'
import { assertKind } from '../rows/entity.ts'
import { boundsOf, type IdBounds } from './id-bounds.ts'
import { checkWhere, type CheckedWhere, type Where } from './where.ts'

/** Which way entities come: `asc` from the oldest, `desc` from the newest. */
export type FindOrder = 'asc' | 'desc'

/** Which entities are meant, in whatever shard. */
export interface EntityQuery {
  /** Only entities of this kind. */
  readonly kind?: number
  /** What their bodies must be like. */
  readonly where?: Where
  /** Only entities made at this time or later. */
  readonly createdAfter?: Date
  /** Only entities made before this time, not at it; so that stretches of time meet without an overlap. */
  readonly createdBefore?: Date
  /** Order of creation; default `asc`. */
  readonly order?: FindOrder
  /** Only entities behind this key, in the direction of the order: the last one of the page before. */
  readonly after?: Key
}

/** What to find in a shard: which entities, and how many of them at most. */
export interface FindQuery extends EntityQuery {
  /** Most entities, 1 … 10,000; default 100. */
  readonly limit?: number
}

/** A checked query. Everything in it is a copy. */
export interface CheckedQuery {
  readonly kind: number | undefined
  readonly where: CheckedWhere
  readonly bounds: IdBounds
  readonly isAscending: boolean
  readonly limit: number
}

const DEFAULT_LIMIT = 100

/** A page is held in memory on both sides, and sorted; more entities than these are for a scan. */
export const MAX_LIMIT = 10_000

const names: readonly string[] = ['kind', 'where', 'createdAfter', 'createdBefore', 'order', 'after', 'limit']

/** Checks a query; TypeError or RangeError names the part that is not accepted. */
export function checkQuery(query: unknown, epochMs: number): CheckedQuery {
  assertParts('a query', query, names)
  const { kind, where, order, after, limit, createdAfter, createdBefore } = query as Record<keyof FindQuery, unknown>
  if (kind !== undefined) assertKind(kind)
  const isAscending = checkOrder(order)
  const [fromMs, toMs] = [checkTime('createdAfter', createdAfter), checkTime('createdBefore', createdBefore)]
  if (fromMs !== undefined && toMs !== undefined && toMs < fromMs) throw reversedError(fromMs, toMs)
  return Object.freeze({
    kind,
    where: checkWhere(where),
    bounds: boundsOf({ fromMs, toMs, after: checkAfter(after), isAscending }, epochMs),
    isAscending,
    limit: checkLimit(limit),
  })
}

/** Checks a query for one shard: what it goes on after must be a key of it. */
export function checkFind(shardId: number, query: FindQuery, epochMs: number): CheckedQuery {
  const checked = checkQuery(query, epochMs)
  const { after } = query
  if (after === undefined || after.shardId === shardId) return checked
  throw new RangeError(`after must be a key of shard ${shardId}, got one of shard ${after.shardId}`)
}

function checkOrder(order: unknown): boolean {
  if (order === undefined || order === 'asc') return true
  if (order === 'desc') return false
  throw new RangeError(`order must be 'asc' or 'desc', got ${typeof order === 'string' ? `'${order}'` : typeof order}`)
}

function checkAfter(after: unknown): bigint | undefined {
  if (after === undefined) return undefined
  if (after instanceof Key) return after.id
  throw new TypeError(`after must be a Key, got ${describeType(after)}: write new Key(id)`)
}

function checkTime(name: string, time: unknown): number | undefined {
  if (time === undefined) return undefined
  if (!(time instanceof Date)) throw new TypeError(`${name} must be a Date, got ${describeType(time)}`)
  const timeMs = time.getTime()
  if (Number.isNaN(timeMs)) throw new RangeError(`${name} must be a time, got an invalid Date`)
  return timeMs
}

function reversedError(fromMs: number, toMs: number): RangeError {
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()]
  return new RangeError(`createdBefore must not be earlier than createdAfter, got ${to} and ${from}`)
}

function checkLimit(limit: unknown): number {
  if (limit === undefined) return DEFAULT_LIMIT
  assertInteger('limit', limit, 1, MAX_LIMIT)
  return limit
}
