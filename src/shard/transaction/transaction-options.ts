import { assertBoolean, assertInteger, assertOptions, assertSignal } from '../../arguments/arguments.ts'

/** Isolation of a transaction, as PostgreSQL knows it. */
export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

/** How a transaction is done. */
export interface TransactionOptions {
  /** Default that of the server, which is `read committed` unless somebody changed it. */
  readonly isolation?: Isolation | undefined
  /** Whether the server refuses writes; default false. */
  readonly readOnly?: boolean | undefined
  /**
   * How often the work is run again when the server says that it got in the way of another transaction (40001, 40P01),
   * or that the shard has moved; default 5. With false its work runs once.
   */
  readonly retry?: number | false | undefined
  /** Longest time of all of it, waiting and retries included, in milliseconds; default 60,000. */
  readonly timeoutMs?: number | undefined
  /** Ends it, and rejects with the signal's reason. Nothing is written then, unless the commit was under way. */
  readonly signal?: AbortSignal | undefined
}

/** The options with every default filled in. */
export interface ResolvedTransactionOptions {
  readonly isolation: Isolation | undefined
  readonly isReadOnly: boolean
  /** Most repetitions; none and no following of a shard that moves if it is false. */
  readonly retry: number | false
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

const isolations: ReadonlySet<unknown> = new Set(['read committed', 'repeatable read', 'serializable'])

const known = ['isolation', 'readOnly', 'retry', 'timeoutMs', 'signal']

const MAX_TIMEOUT_MS = 2_147_483_647
const MAX_RETRIES = 1_000

/** Checks the options and fills in the defaults; a TypeError or RangeError names the option. */
export function resolveTransactionOptions(options: TransactionOptions): ResolvedTransactionOptions {
  assertOptions('a transaction', options, known)
  const { isolation, readOnly = false, retry = 5, timeoutMs = 60_000, signal } = options
  if (isolation !== undefined && !isolations.has(isolation)) {
    throw new RangeError(`isolation must be one of ${[...isolations].join(', ')}, got ${JSON.stringify(isolation)}`)
  }
  assertBoolean('readOnly', readOnly)
  if (retry !== false) assertInteger('retry', retry, 0, MAX_RETRIES)
  assertInteger('timeoutMs', timeoutMs, 1, MAX_TIMEOUT_MS)
  assertSignal(signal)
  return Object.freeze({ isolation, isReadOnly: readOnly, retry, timeoutMs, signal })
}
