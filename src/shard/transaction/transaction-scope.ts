import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { HypervaultError } from '../../errors.ts'
import type { ShardSession } from '../shard-session.ts'
import { Turns } from './turns.ts'

/*
 * What may be done in a transaction, or in one nested in it (a savepoint), and when.
 *
 *   open     operations take turns: each is one or more statements, and nobody comes between them
 *   nested   a nested transaction is asked for, until it is finished. Whatever the outer one did meanwhile would be
 *            undone with the nested one although its caller was told that it was done; so that is refused
 *   closing  the work has returned: nothing new begins; what was begun and not awaited is finished before the commit
 *   ended    committed, rolled back, or about to be: what still waits for its turn is refused
 */

type State = 'open' | 'nested' | 'closing' | 'ended'

/** One transaction or savepoint, as its work sees it. */
export class TransactionScope {
  readonly #session: ShardSession
  readonly #turns = new Turns()
  #state: State = 'open'
  #inner: TransactionScope | undefined

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
    return this.#turns.take(() => {
      if (this.#state === 'ended') throw this.#endedError()
      return work(this.#session)
    })
  }

  /** Runs a statement of the caller. One that ends the transaction is an error: nothing can be done in it any more. */
  query<R extends QueryResultRow>(text: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult<R>> {
    return this.operate(async (session) => {
      const result = await session.query<R>(text, values)
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
      await this.#turns.whenIdle()
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

  /** Throws `HV_TRANSACTION_ENDED` when a statement of the caller was a commit or a rollback. */
  assertUnended(): void {
    if (this.#session.isIdle) throw this.#endedError('a statement of its own has ended it')
  }

  #assertOpen(): void {
    if (this.#state === 'open') return
    if (this.#state !== 'nested') throw this.#endedError()
    const { shardId } = this
    const message = `the transaction in shard ${shardId} was used while one nested in it was not finished`
    throw new HypervaultError('HV_TRANSACTION_BUSY', message, { shardId })
  }

  #endedError(why = 'it was used after its end'): HypervaultError<'HV_TRANSACTION_ENDED'> {
    const { shardId } = this
    return new HypervaultError('HV_TRANSACTION_ENDED', `the transaction in shard ${shardId} is over: ${why}`, {
      shardId,
    })
  }
}
