import { setImmediate as nextTurn } from 'node:timers/promises'
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { HypervaultError } from '../../errors.ts'
import { readControl } from '../../sql/statement-text.ts'
import { readStatement } from '../query/query-arguments.ts'
import type { ShardSession } from '../shard-session.ts'
import { Turns } from './turns.ts'

/*
 * What may be done in a transaction, or in one nested in it (a savepoint), and when.
 *
 *   open     operations take turns: each is one or more statements, and nobody comes between them
 *   nested   a nested transaction is asked for, until it is finished. Whatever the outer one did meanwhile would be
 *            undone with the nested one although its caller was told that it was done; so that is refused
 *   closing  the work has returned: what was begun and not awaited is finished before the commit, and must end well. Nothing
 *            new begins; whoever tries belongs to the work and was not awaited, so that the transaction is rolled back
 *   ended    committed, rolled back, or about to be: what still waits for its turn is refused
 */

type State = 'open' | 'nested' | 'closing' | 'ended'

/** One transaction or savepoint, as its work sees it. */
export class TransactionScope {
  readonly #session: ShardSession
  readonly #turns = new Turns()
  #state: State = 'open'
  #inner: TransactionScope | undefined
  #underWay = 0
  /** What went wrong after the work had returned. */
  #late: { readonly error: unknown } | undefined

  constructor(session: ShardSession) {
    this.#session = session
  }

  get shardId(): number {
    return this.#session.shardId
  }

  get serverId(): string {
    return this.#session.serverId
  }

  /**
   * Does work on the session when it is its turn.
   *
   * @throws `HV_TRANSACTION_BUSY`, `HV_TRANSACTION_ENDED`; nothing was sent then
   */
  async operate<T>(work: (session: ShardSession) => Promise<T>): Promise<T> {
    this.#assertOpen()
    this.#underWay += 1
    try {
      return await this.#turns.take(() => {
        if (this.#state === 'ended') throw this.#endedError()
        return work(this.#session)
      })
    } catch (error) {
      if (this.#state === 'closing') this.#late ??= { error }
      throw error
    } finally {
      this.#underWay -= 1
    }
  }

  /** Waits for what nobody has awaited, and lets go on what waits for that; costs nothing if all was awaited. */
  async #finish(): Promise<void> {
    while (this.#underWay > 0) {
      await this.#turns.whenIdle()
      await nextTurn()
    }
    if (this.#late !== undefined) throw this.#late.error
  }

  /** Runs a statement of the caller, but for one that would begin or end a transaction: `HV_STATEMENT_REFUSED`. */
  async query<R extends QueryResultRow>(
    query: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult<R>> {
    const statement = readStatement(query, values)
    this.#assertUncontrolled(statement.text)
    return this.operate(async (session) => {
      const result = await session.query<R>(statement)
      if (session.isIdle) this.end()
      this.assertUnended()
      return result
    })
  }

  /** Does work in a nested transaction: what it did is undone when it throws. */
  async nest<T>(work: (scope: TransactionScope) => Promise<T>): Promise<T> {
    this.#assertOpen()
    this.#state = 'nested'
    const inner = new TransactionScope(this.#session)
    this.#inner = inner
    try {
      return await this.#turns.take(() => this.#session.savepoint(() => inner.complete(work)))
    } finally {
      this.#inner = undefined
      if (this.#state === 'nested') this.#state = 'open'
    }
  }

  /**
   * Does the work of this scope. Resolves or rejects when nothing of it is under way any more: a statement that came
   * after a rollback would be a transaction of its own.
   */
  async complete<T>(work: (scope: TransactionScope) => Promise<T>): Promise<T> {
    try {
      const result = await work(this)
      this.#state = 'closing'
      await this.#finish()
      return result
    } finally {
      this.end()
      await this.#turns.whenIdle()
    }
  }

  /** Refuses everything from now on, also in what is nested. */
  end(): void {
    this.#state = 'ended'
    this.#inner?.end()
  }

  /** A commit would leave what was done so far, whatever becomes of the rest. */
  #assertUncontrolled(text: string): void {
    if (!readControl(text).controls) return
    const { shardId } = this
    const message = `a transaction in shard ${shardId} was given a statement that begins or ends one`
    const hint = 'Leave begin and commit to transaction(), and nest with tx.transaction() or savepoints.'
    throw new HypervaultError('HV_STATEMENT_REFUSED', message, { shardId }, { hint })
  }

  /** Throws `HV_TRANSACTION_ENDED` when the transaction was ended by a text that did not look like it. */
  assertUnended(): void {
    if (this.#session.isIdle) throw this.#endedError('one of its statements has ended it')
  }

  #assertOpen(): void {
    if (this.#state === 'open') return
    if (this.#state !== 'nested') {
      const error = this.#endedError()
      if (this.#state === 'closing') this.#late ??= { error }
      throw error
    }
    const { shardId } = this
    const message = `the transaction in shard ${shardId} was used before a transaction nested in it had ended`
    throw new HypervaultError('HV_TRANSACTION_BUSY', message, { shardId })
  }

  #endedError(why = 'it was used after its end'): HypervaultError<'HV_TRANSACTION_ENDED'> {
    const { shardId } = this
    return new HypervaultError('HV_TRANSACTION_ENDED', `the transaction in shard ${shardId} has ended: ${why}`, {
      shardId,
    })
  }
}
