import {
  assertBoolean,
  assertFunction,
  assertOptions,
  assertSignal,
  resolveNumbers,
} from '../../arguments/arguments.ts'
import { DEFAULT_EPOCH_MS } from '../../key/layout.ts'

/** How far a look at all shards is. */
export interface DriftProgress {
  readonly serverId: string
  /** Shards of this server that are done with. */
  readonly done: number
  readonly total: number
}

/** How shards are compared. All times are milliseconds. */
export interface DriftOptions {
  /** Shard that the others are compared with; default one of the largest group. */
  reference?: number
  /** Rebuilds indexes that are not valid, while the tables are read and written; default false. */
  fix?: boolean
  /** Ends the look, or the rebuilding after the index at hand, and rejects with the signal's reason. */
  signal?: AbortSignal
  /** Longest time for opening a connection; default 10,000. */
  connectTimeoutMs?: number
  /** Longest time for one statement, such as the rebuilding of an index; default 3,600,000. */
  statementTimeoutMs?: number
  /** Called for each server after each part of its shards. */
  onProgress?: (event: DriftProgress) => void
}

/** The options with every default filled in. */
export type DriftSettings = Readonly<
  Required<Pick<DriftOptions, 'fix' | 'connectTimeoutMs' | 'statementTimeoutMs' | 'onProgress'>>
> &
  Readonly<{ reference: number | undefined; signal: AbortSignal | undefined; epochMs: number }>

const numbers = {
  connectTimeoutMs: { default: 10_000, min: 1, max: 2_147_483_647 },
  statementTimeoutMs: { default: 3_600_000, min: 1, max: 2_147_483_647 },
} as const

/** Fills in the defaults; TypeError or RangeError names the option. */
export function resolveDriftOptions(options: DriftOptions, epochMs = DEFAULT_EPOCH_MS): DriftSettings {
  assertOptions('verifying', options, [...Object.keys(numbers), 'reference', 'fix', 'signal', 'onProgress'])
  const { reference, fix = false, signal, onProgress = (): void => undefined } = options
  assertBoolean('fix', fix)
  assertSignal(signal)
  assertFunction('onProgress', onProgress)
  return Object.freeze({ ...resolveNumbers(numbers, options), reference, fix, signal, onProgress, epochMs })
}
