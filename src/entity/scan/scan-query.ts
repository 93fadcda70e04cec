import { assertArray, assertInteger, assertOptions, assertSignal, describeType } from '../../arguments/arguments.ts'
import { Key } from '../../key/key.ts'
import { assertShardId } from '../../key/shard-id.ts'
import { checkQuery, type CheckedQuery, type EntityQuery } from '../find/find-query.ts'
import type { IdBounds } from '../find/id-bounds.ts'
import { decodeCursor, type ScanPosition } from './cursor.ts'
import { hashOfShape } from './query-shape.ts'

/** What is done about a shard that cannot be read. */
export type ShardErrorPolicy = 'throw' | 'skip'

/** Which entities are meant, across shards. */
export interface ScanQuery extends Omit<EntityQuery, 'after'> {
  /** Only these shards; default all of the topology. */
  readonly shards?: readonly number[]
}

/** What to walk through, and how. */
export interface ScanOptions extends ScanQuery {
  /** Only what comes behind this key in the direction of the order, or goes on from the cursor of a page. */
  readonly after?: Key | string
  /** Most entities of the whole scan; default all. */
  readonly limit?: number
  /** Most entities of a page, 1 … 10,000; default 1,000. A page of large bodies has fewer: it ends after some 8 MiB. */
  readonly pageSize?: number
  /** Whether a shard that cannot be read ends the scan (default), or is left out and named in each page. */
  readonly onShardError?: ShardErrorPolicy
  /** Ends the scan with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Checked options. Everything in them is a copy. */
export interface CheckedScan {
  readonly query: CheckedQuery
  /** The keys that are meant, wherever it goes on from. */
  readonly wholeBounds: IdBounds
  /** Undefined for all shards of the topology. */
  readonly shardIds: readonly number[] | undefined
  /** Where to go on from. */
  readonly position: ScanPosition
  readonly limit: number
  readonly pageSize: number
  readonly isSkipping: boolean
  readonly signal: AbortSignal | undefined
  /** Binds the cursors to the query. */
  readonly shapeHash: Buffer
}

const DEFAULT_PAGE_SIZE = 1_000
const MAX_PAGE_SIZE = 10_000

const queryNames = ['kind', 'where', 'createdAfter', 'createdBefore', 'order', 'shards'] as const
/** The options of a scan. */
export const scanNames: readonly string[] = [...queryNames, 'after', 'limit', 'pageSize', 'onShardError', 'signal']

/**
 * Checks the options of a scan.
 *
 * @throws TypeError or RangeError that names the option; `HV_CURSOR_INVALID`, `HV_CURSOR_FOREIGN`
 */
export function checkScan(options: unknown, epochMs: number): CheckedScan {
  assertOptions('a scan', options, scanNames)
  const { after, limit, pageSize, onShardError, signal, shards, ...query } = options as ScanOptions
  assertSignal(signal)
  const shardIds = checkShards(shards)
  const whole = checkQuery(query, epochMs)
  const shapeHash = hashOfShape(whole, shardIds, epochMs)
  const position = checkAfter(after, shapeHash)
  return Object.freeze({
    query: checkQuery({ ...query, ...(position.after !== undefined && { after: keyOf(position.after) }) }, epochMs),
    wholeBounds: whole.bounds,
    shardIds,
    position,
    limit: limit === undefined ? Infinity : checkCount('limit', limit, Number.MAX_SAFE_INTEGER),
    pageSize: pageSize === undefined ? DEFAULT_PAGE_SIZE : checkCount('pageSize', pageSize, MAX_PAGE_SIZE),
    isSkipping: checkPolicy(onShardError),
    signal,
    shapeHash,
  })
}

function keyOf(place: bigint): Key {
  return new Key(BigInt.asIntN(64, place))
}

/** The shards, ascending and each once; undefined for all. */
export function checkShards(shards: unknown): readonly number[] | undefined {
  if (shards === undefined) return undefined
  assertArray('shards', shards)
  const given = shards as unknown[]
  given.forEach((shardId, index) => assertShardId(shardId, `shards[${index}]`))
  return [...new Set(given as number[])].sort((a, b) => a - b)
}

/** Tells whether shards that cannot be read are left out. */
export function checkPolicy(policy: unknown): boolean {
  if (policy === undefined || policy === 'throw') return false
  if (policy === 'skip') return true
  const got = typeof policy === 'string' ? `'${policy}'` : describeType(policy)
  throw new RangeError(`onShardError must be 'throw' or 'skip', got ${got}`)
}

function checkAfter(after: unknown, shapeHash: Buffer): ScanPosition {
  if (after === undefined) return { after: undefined, missing: [] }
  if (after instanceof Key) return { after: BigInt.asUintN(64, after.id), missing: [] }
  if (typeof after === 'string') return decodeCursor(after, shapeHash)
  throw new TypeError(`after must be a Key or the cursor of a page, got ${describeType(after)}`)
}

function checkCount(name: string, value: unknown, max: number): number {
  assertInteger(name, value, 1, max)
  return value
}
