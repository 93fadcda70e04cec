import { isHypervaultError } from '../../errors.ts'
import { sqlstateOf } from '../../pool/failure.ts'
import { causesOf } from '../statement-error.ts'
import type { ResolvedTransactionOptions } from './transaction-options.ts'

/** What to do after an attempt that wrote nothing. */
export type RetryDecision =
  | { readonly action: 'stop' }
  | { readonly action: 'again'; readonly pauseMs: number }
  | { readonly action: 'follow'; readonly refusal: unknown }

/** How an attempt ended. */
export interface FailedAttempt {
  /** What the work, or the commit, was rejected with. */
  readonly error: unknown
  /** The failure of a statement that doomed the transaction, whatever the work made of it. */
  readonly failure: unknown
  /** Whether hstore turned out to be in another schema than the one that the names of the work were looked up in. */
  readonly hasHstoreMoved: boolean
  /** Repetitions so far. */
  readonly retries: number
  /** A number from 0 to 1. */
  readonly chance: number
}

/** SQLSTATEs of a transaction that came in the way of another one: the same work may pass the next time. */
const collisions: ReadonlySet<string | undefined> = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
])

const FIRST_PAUSE_MS = 5
const LAST_PAUSE_MS = 500

/**
 * Decides whether to run a transaction again. Pauses grow, and are drawn by chance, so that transactions that met once do
 * not meet again in step.
 */
export function decideRetry(
  { error, failure, hasHstoreMoved, retries, chance }: FailedAttempt,
  { retry }: Pick<ResolvedTransactionOptions, 'retry'>,
): RetryDecision {
  if (retry === false) return { action: 'stop' }
  const causes = [...causesOf(failure), ...causesOf(error)]
  const refusal = causes.find(isDeparture)
  if (refusal !== undefined) return { action: 'follow', refusal }
  if (hasHstoreMoved && retries < retry) return { action: 'again', pauseMs: 0 }
  const wasCollision = causes.some((cause) => collisions.has(sqlstateOf(cause)))
  if (!wasCollision || retries >= retry) return { action: 'stop' }
  return { action: 'again', pauseMs: chance * Math.min(FIRST_PAUSE_MS * 2 ** retries, LAST_PAUSE_MS) }
}

function isDeparture(error: unknown): boolean {
  return isHypervaultError(error, 'HV_SHARD_MOVED') || isHypervaultError(error, 'HV_SHARD_MISSING')
}
