import { assertFunction, assertOptions, assertSignal, resolveNumbers } from '../../arguments/arguments.ts'

/** How far the work on an index is. */
export interface IndexProgress {
  readonly serverId: string
  /** Shards of this server that are done with, failed ones included. */
  readonly done: number
  /** Shards of this server. */
  readonly total: number
}

/** How an index is made or dropped in all shards. All times are milliseconds. */
export interface IndexOptions {
  /** Ends the statements under way and rejects with the signal's reason; the shards that are done stay so. */
  signal?: AbortSignal
  /** Connections that work side by side on one server; default 2. They are not those of the datastore. */
  connectionsPerServer?: number
  /**
   * Longest wait for a lock or for one older transaction, default 60,000. An index that is made concurrently waits for
   * every transaction that is older; too short fails beside a long report.
   */
  lockTimeoutMs?: number
  /** Longest time for the index of one shard; default 3,600,000. */
  buildTimeoutMs?: number
  /** Longest time for opening a connection; default 10,000. */
  connectTimeoutMs?: number
  /** Called for each server at the start, and after each shard. */
  onProgress?: (event: IndexProgress) => void
}

/** The options with every default filled in. */
export type IndexSettings = Readonly<Required<Omit<IndexOptions, 'signal' | 'onProgress'>>> & {
  readonly signal: AbortSignal | undefined
  readonly onProgress: (event: IndexProgress) => void
}

const numbers = {
  connectionsPerServer: { default: 2, min: 1, max: 64 },
  lockTimeoutMs: { default: 60_000, min: 1, max: 2_147_483_647 },
  buildTimeoutMs: { default: 3_600_000, min: 1, max: 2_147_000_000 },
  connectTimeoutMs: { default: 10_000, min: 1, max: 2_147_483_647 },
} as const

/** Fills in the defaults; TypeError or RangeError names the option. */
export function resolveIndexOptions(options: IndexOptions): IndexSettings {
  assertOptions('an index', options, [...Object.keys(numbers), 'signal', 'onProgress'])
  const { signal, onProgress = (): void => undefined } = options
  assertSignal(signal)
  assertFunction('onProgress', onProgress)
  return Object.freeze({ ...resolveNumbers(numbers, options), signal, onProgress })
}
