import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { onAbort } from '../../pool/abort-group.ts'
import { Deadline } from '../../pool/deadline.ts'
import { pause } from '../../pool/pause.ts'
import { ShardScope } from '../shard-scope.ts'
import { ShardSession } from '../shard-session.ts'
import { hasHstoreMoved, type ShardHome, type ShardSite } from '../shard-site.ts'
import { decideRetry, type FailedAttempt } from './decide-retry.ts'
import type { ResolvedTransactionOptions } from './transaction-options.ts'
import { TransactionScope } from './transaction-scope.ts'

/*
 * A transaction in one shard.
 *
 *   attempt   a connection of the pool, begin, the work of the caller, commit; or a rollback when the work throws
 *   again     after a pause, when the server says that it came in the way of another one; on the shard's new server, when
 *             a fence refused a write. In both cases nothing was written. The work of the caller runs again.
 *
 *   ends by                       and the caller gets
 *   the commit                    what the work has returned
 *   the work throwing             what it has thrown
 *   the commit refused            the refusal: nothing was written, a deferred constraint for instance
 *   the commit made a rollback    HV_TRANSACTION_ABORTED: the work had swallowed the error of a statement
 *   its time, or its signal       HV_TRANSACTION_TIMEOUT, or the reason: the connection is cut, nothing was written
 *   a lost connection             HV_CONNECTION_LOST: nothing was written
 *   any of the last two, while    HV_COMMIT_UNKNOWN, unless it is read only
 *   the commit is under way
 */

/** What a transaction does, on the server where its shard lives; the session is that of the scope. */
export type TransactionWork<T, H> = (scope: TransactionScope, session: ShardSession, home: H) => Promise<T>

/** Runs work in a transaction, again if need be; see above for how it ends. */
export async function runTransaction<T, H extends ShardHome>(
  site: ShardSite<H>,
  options: ResolvedTransactionOptions,
  work: TransactionWork<T, H>,
): Promise<T> {
  using deadline = new Deadline(options.timeoutMs, options.signal, () => timeoutError(site.shardId, options))
  return await new TransactionRun(site, options, deadline, work).run()
}

function timeoutError(shardId: number, { timeoutMs }: ResolvedTransactionOptions): Error {
  const message = `the transaction in shard ${shardId} was not finished within ${timeoutMs} ms`
  return new HypervaultError('HV_TRANSACTION_TIMEOUT', message, { shardId, timeoutMs })
}

type AttemptEnd<T> =
  | { readonly isCommitted: true; readonly result: T }
  | ({ readonly isCommitted: false } & Pick<FailedAttempt, 'error' | 'failure' | 'hasHstoreMoved'>)

class TransactionRun<T, H extends ShardHome> {
  readonly #site: ShardSite<H>
  readonly #options: ResolvedTransactionOptions
  readonly #deadline: Deadline
  readonly #work: TransactionWork<T, H>
  readonly #startedAt = performance.now()
  #retries = 0
  #follows = 0

  constructor(
    site: ShardSite<H>,
    options: ResolvedTransactionOptions,
    deadline: Deadline,
    work: TransactionWork<T, H>,
  ) {
    this.#site = site
    this.#options = options
    this.#deadline = deadline
    this.#work = work
  }

  async run(): Promise<T> {
    for (;;) {
      const end = await this.#attempt()
      if (end.isCommitted) return end.result
      await this.#waitForRetry(end)
    }
  }

  async #attempt(): Promise<AttemptEnd<T>> {
    const { shardId, log, statementTimeoutMs } = this.#site
    const { signal } = this.#deadline
    const home = this.#site.findHome()
    await using lease = (await home.pool.acquire({ signal })).vouch()
    using _ = onAbort(signal, () => {
      if (!lease.isReturned) lease.destroy()
    })
    return await this.#attemptIn(home, new ShardSession(shardId, lease, log, statementTimeoutMs))
  }

  async #attemptIn(home: H, session: ShardSession): Promise<AttemptEnd<T>> {
    const scope = new TransactionScope(session)
    let schema: string | undefined
    try {
      schema = await home.findHstoreSchema(session)
      await session.begin(this.#beginSql(session, schema))
      const result = await this.#deadline.race(scope.complete(() => this.#work(scope, session, home)))
      scope.assertUnended()
      await session.commit({ isWrite: !this.#options.isReadOnly })
      return { isCommitted: true, result }
    } catch (error) {
      scope.end()
      const { isFailed } = session
      const failure = isFailed ? session.failure : undefined
      const isOver = this.#deadline.signal.aborted
      if (!isOver) await session.tryRollBack()
      const isElsewhere = !isOver && isFailed && (await hasHstoreMoved(home, session, { schema, refusal: failure }))
      return { isCommitted: false, error, failure, hasHstoreMoved: isElsewhere }
    }
  }

  /** In one round trip: the transaction, and what names without a schema mean in it. */
  #beginSql({ shardId }: ShardSession, hstoreSchema: string | undefined): string {
    const { isolation, isReadOnly } = this.#options
    const scope = new ShardScope(shardId, hstoreSchema)
    const begin = ['begin', isolation && `isolation level ${isolation}`, isReadOnly && 'read only']
    return `${scope.begin.sql}; ${begin.filter(Boolean).join(' ')}`
  }

  /** Resolves when the work is to be run again; throws what the caller gets otherwise. */
  async #waitForRetry(end: Pick<FailedAttempt, 'error' | 'failure' | 'hasHstoreMoved'>): Promise<void> {
    const { error } = end
    if (isHypervaultError(error, 'HV_COMMIT_UNKNOWN')) throw error
    this.#deadline.signal.throwIfAborted()
    const attempt = { ...end, retries: this.#retries, chance: Math.random() }
    const decision = decideRetry(attempt, this.#options)
    if (decision.action === 'stop') throw error
    if (decision.action === 'follow') return this.#follow(error, decision.refusal)
    this.#retries += 1
    const { signal } = this.#deadline
    await pause(decision.pauseMs, signal)
  }

  async #follow(error: unknown, refusal: unknown): Promise<void> {
    const { shardId, follower, waitTimeoutMs } = this.#site
    const { signal } = this.#deadline
    const leftMs = this.#startedAt + waitTimeoutMs - performance.now()
    await follower.follow(refusal, { shardId, attempt: this.#follows, leftMs, signal }).catch((thrown: unknown) => {
      const isStanding = thrown === refusal || (thrown as Error).cause === refusal
      throw isStanding && error !== refusal ? error : thrown
    })
    this.#follows += 1
  }
}
