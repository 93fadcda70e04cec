import { assertFunction, assertOptions, assertSignal, describeType, resolveNumbers } from '../../arguments/arguments.ts'
import type { HypervaultError } from '../../errors.ts'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'
import { assertKey } from '../rows/assert-key.ts'
import type { KeptRow } from './batch.ts'
import type { LoadBatch } from './load-batch.ts'

/** The kind of a row; `row` is its place in the source, from 0. What it throws ends the load. */
export type KindOf<B extends Body = Body> = (body: B, row: number) => number

/** A row that a server refused for what is in it. Its message holds no value. */
export interface RefusedRow {
  readonly row: number
  readonly shardId: number
  readonly body: Body
  /** What the server said; or that the key of a row that keeps its key is there already. */
  readonly error: HypervaultError<'HV_STATEMENT_FAILED'> | HypervaultError<'HV_KEY_TAKEN'>
}

/** What a load stores: bodies one after the other, also from a stream of objects. Its iterator is used once. */
export type LoadSource<B extends Body = Body> = AsyncIterable<B> | Iterable<B>

/** How far a load is. */
export interface LoadProgress {
  /** Rows taken from the source. */
  readonly rowsRead: number
  /** Rows of the source from the first on that are all done: stored with their keys given, or refused. */
  readonly rowsDone: number
  /** Bytes of memory that rows take which are read and not stored. */
  readonly bufferedBytes: number
  /** Rows that are stored. */
  readonly rows: number
  /** Bytes of these as they were sent. */
  readonly bytes: number
  /** Transactions that stored them. */
  readonly batches: number
  readonly elapsedMs: number
  /** Stored rows per second, on average. */
  readonly ratePerSecond: number
}

/** How a load is done. */
export interface LoadOptions<B extends Body = Body> {
  /** The shard of a row; `row` is its place in the source, from 0. What it throws ends the load. */
  shardOf: (body: B, row: number) => number
  /**
   * To store again what was exported: the key that each row has already, of the shard that `shardOf` gives. A key that is
   * there is never overwritten: its row is refused with `HV_KEY_TAKEN`. Default: rows get new keys.
   */
  keyOf?: ((body: B, row: number) => Key) | undefined
  /** With `keyOf`: when a row was changed last; null, the default, for never. Lost in a shard without such a column. */
  updatedOf?: ((body: B, row: number) => Date | null) | undefined
  /** Ends the load with `HV_LOAD_FAILED`, whose cause is the signal's reason. */
  signal?: AbortSignal | undefined
  /** Hears at most ten times a second how far the load is, and once at the end. What it throws ends the load. */
  onProgress?: ((progress: LoadProgress) => void) | undefined
  /**
   * Hears of each batch before it is committed, and the commit waits for it: who writes the ticket down on a disk can ask
   * `findBatchEnd()` after a crash. May hear of the same rows again, if the batch was not stored; then the later ticket
   * counts. When it throws, the batch is not stored and the load ends.
   */
  beforeCommit?: ((batch: LoadBatch) => void | Promise<void>) | undefined
  /** Hears of each batch once it is stored, before its keys are given. What it throws ends the load. */
  onStored?: ((batch: LoadBatch) => void) | undefined
  /**
   * Hears of each row that a server refuses for what is in it: a value that an index or a check does not allow. The load
   * goes on without the row, which has no key and counts as done in its account. Without this it ends. Heard before the
   * later rows of the shard are committed. What it throws ends the load.
   */
  onRefused?: ((refused: RefusedRow) => void) | undefined
  /** Most rows in one transaction; default 10,000. More save little; fewer cost a round trip or five each. */
  batchRows?: number | undefined
  /** Most bytes in one transaction, plus one row; default 4 MiB. */
  batchBytes?: number | undefined
  /** Most rows between the oldest whose key has not been handed out and the newest; default 262,144. */
  windowRows?: number | undefined
  /** Most bytes of rows that are not stored yet, plus one row; default 64 MiB. */
  windowBytes?: number | undefined
  /** Most connections to each server at once; default 2: with one, no keys are drawn while a batch is being stored. */
  connectionsPerServer?: number | undefined
}

/** Defaults and bounds of the numbers. */
const numbers = {
  batchRows: { default: 10_000, min: 1, max: 100_000 },
  batchBytes: { default: 4 * 1024 * 1024, min: 1, max: 256 * 1024 * 1024 },
  windowRows: { default: 262_144, min: 1, max: 16_777_216 },
  windowBytes: { default: 64 * 1024 * 1024, min: 1, max: 4 * 1024 * 1024 * 1024 },
  connectionsPerServer: { default: 2, min: 1, max: 10_000 },
} as const

/** Functions that may be left out. */
const optional = ['keyOf', 'updatedOf', 'onProgress', 'beforeCommit', 'onStored', 'onRefused'] as const

type NumberName = keyof typeof numbers

/** Options of a load with every default filled in. */
export type LoadSettings = Readonly<Record<NumberName, number>> &
  Omit<LoadOptions, NumberName | 'keyOf' | 'updatedOf'> & {
    /** What a row was before; undefined for rows that get new keys. */
    readonly keptOf: ((body: Body, row: number, shardId: number) => KeptRow) | undefined
  }

/** Checks the options of a load and fills in the defaults; TypeError or RangeError names the option. */
export function resolveLoadOptions<B extends Body>(options: LoadOptions<B>): LoadSettings {
  assertOptions('load', options, ['shardOf', 'signal', ...optional, ...Object.keys(numbers)])
  const { shardOf, signal, onProgress, beforeCommit, onStored, onRefused } = options
  assertFunction('shardOf', shardOf)
  for (const name of optional) if (options[name] !== undefined) assertFunction(name, options[name])
  assertSignal(signal)
  return Object.freeze({
    ...resolveNumbers(numbers, options),
    shardOf: shardOf as LoadSettings['shardOf'],
    keptOf: resolveKept(options as LoadOptions),
    signal,
    onProgress,
    beforeCommit,
    onStored,
    onRefused,
  })
}

function resolveKept({ keyOf, updatedOf }: LoadOptions): LoadSettings['keptOf'] {
  if (keyOf === undefined && updatedOf !== undefined) throw new TypeError('updatedOf requires keyOf')
  if (keyOf === undefined) return undefined
  return (body, row, shardId) => {
    const key: unknown = keyOf(body, row)
    assertKey('load', key)
    if (key.shardId !== shardId) {
      throw new RangeError(`keyOf returned a key of shard ${key.shardId}, but shardOf returned ${shardId}`)
    }
    return { id: key.id, updated: checkTime(updatedOf?.(body, row) ?? null) }
  }
}

function checkTime(time: unknown): Date | null {
  if (time === null || (time instanceof Date && !Number.isNaN(time.getTime()))) return time
  throw new TypeError(`updatedOf must return a valid Date or null, got ${describeType(time)}`)
}

/** Throws a TypeError unless the source can be iterated. A text can, but is no list of bodies. */
export function assertLoadSource(source: unknown): asserts source is LoadSource {
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = Object(source) as Record<
    symbol,
    unknown
  >
  const isIterable = typeof asynchronous === 'function' || typeof synchronous === 'function'
  if (isIterable && typeof source !== 'string') return
  throw new TypeError(`source must be an iterable or async iterable of bodies, got ${describeType(source)}`)
}
