import {
  Pool,
  type Client,
  type PoolClient,
  type PoolOptions,
  type QueryResult,
  type QueryResultRow,
  type Submittable,
} from 'pg'
import { deferred, type Deferred } from '../../pool/deferred.ts'
import type { PoolStats } from '../../pool/stats.ts'
import { isSubmittable, type ShardConnection } from '../shard-connection.ts'
import type { ShardSite } from '../shard-site.ts'
import { shapeClient } from './client-shape.ts'
import type { Int8 } from './int8.ts'
import { ClientLoan } from './pool-client.ts'
import { assertLasting } from './lasting.ts'
import { clientClassOf, describePool } from './pool-options.ts'
import { answer, readStatement, splitCallback, type StatementConfig } from './query-arguments.ts'
import { isQuery } from './scoped-statement.ts'

/** Calls of `connect()` with a callback get the function that releases the client as well. */
type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: unknown) => void,
) => void

/** Events that tell of the clients that a pool lends. */
const clientEvents = ['connect', 'acquire', 'release', 'remove'] as const

/**
 * One logical shard as a `pg.Pool`, for Kysely, Drizzle, and whatever else takes one. Names without a schema mean those of
 * the shard, in every statement and transaction, also behind a pooler in transaction mode. It has no connections of its
 * own: all shards of a server share those of the datastore. So each client that it lends is as good as new, and is told of
 * by all four events: `connect`, `acquire`, `release` and `remove`. A connection that is lost while nobody uses it is the
 * datastore's, and is no `error` here.
 */
export class ShardPool extends Pool {
  /**
   * Said once more, because a minifier that shortens the name of the class leaves this: Drizzle tells a pool by a class whose
   * name contains "Pool", and runs the statements of a transaction on several connections when it does not see one.
   */
  static override readonly name: string = 'ShardPool'

  /**
   * How to connect to where the shard lives now: server, database, search path, and a password that is not enumerable.
   *
   * @throws `HV_SHARD_UNKNOWN`, `HV_CLOSED`
   */
  declare readonly options: PoolOptions
  /** Class of clients that connect to where the shard lives, whatever they are given. Their connections are their own. */
  declare readonly Client: typeof Client
  /** Open connections to the server of the shard; others use them too. */
  declare readonly totalCount: number
  declare readonly idleCount: number
  declare readonly waitingCount: number
  readonly #shardId: number
  readonly #findSite: () => ShardSite
  readonly #int8: Int8
  /** Statements that were given to `query` and have not ended. */
  #running = 0
  /** Resolved when there are none. */
  #quiet: Deferred<void> | undefined

  static {
    const figure = (read: (stats: PoolStats) => number): PropertyDescriptor => ({
      get(this: ShardPool) {
        return read(this.#stats)
      },
    })
    Object.defineProperties(this.prototype, {
      totalCount: figure(({ total }) => total),
      idleCount: figure(({ idle }) => idle),
      waitingCount: figure(({ waiting }) => waiting),
    })
  }

  /** @param findSite gives what there is to work with now */
  constructor(shardId: number, findSite: () => ShardSite, int8: Int8) {
    super()
    this.#shardId = shardId
    this.#findSite = findSite
    this.#int8 = int8
    const describe = (): PoolOptions => describePool(findSite())
    Object.defineProperty(this, 'options', { get: describe })
    // For who takes the pool itself for the configuration of a client, which would lead to a default database.
    Object.defineProperty(this, 'host', { value: 'use-pool.options.invalid', enumerable: true })
    // Enumerable, because a pool of another copy of pg takes this one for a configuration, and copies what it sees.
    Object.defineProperty(this, 'Client', { get: () => clientClassOf(describe), enumerable: true })
  }

  get shardId(): number {
    return this.#shardId
  }

  /**
   * Lends a client, to be given back by `release()`. What is done on it is yours to repeat, but for its first statement,
   * which goes after a shard that moves.
   *
   * @throws `HV_SHARD_UNKNOWN`, `HV_POOL_TIMEOUT`, `HV_CONNECT_FAILED`, `HV_CLOSED`
   */
  override connect(): Promise<ShardConnection>
  override connect(callback: ConnectCallback): void
  override connect(callback?: ConnectCallback): Promise<ShardConnection> | void {
    const client = this.#connect()
    if (callback === undefined) return client
    const tell = (error: unknown, given?: ShardConnection): void =>
      callback(error as Error | undefined, given, (broken) => given?.release(broken as boolean))
    void answer(client, tell, undefined)
  }

  /**
   * Runs a statement by itself, in a transaction of its own. It goes after a shard that moves.
   *
   * @throws what `connect` throws; `HV_SHARD_MISSING`, `HV_SHARD_MOVED`, `HV_CONNECTION_LOST`; `HV_STATEMENT_REFUSED` for
   *   what cannot run in a transaction; every other error of the server as it is
   */
  override readonly query = ((...given: unknown[]) => {
    const { args, callback } = splitCallback(given)
    return answer(this.#query(args), callback, undefined)
  }) as Pool['query']

  /** As `query`, but ended by a signal: the wait, and the statement also at the server. */
  async run<R extends QueryResultRow>(
    statement: StatementConfig,
    signal: AbortSignal | undefined,
  ): Promise<QueryResult<R>> {
    assertLasting(this.#shardId, statement.text)
    await using loan = new ClientLoan(this.#findSite(), { int8: this.#int8, signal, isSingle: true })
    return (await loan.run(statement)) as QueryResult<R>
  }

  /** Waits for the statements that `query` was given, and ends nothing: the connections belong to the datastore. */
  override end(): Promise<void>
  override end(callback: () => void): void
  override end(callback?: () => void): Promise<void> | void {
    // Bound: as in pg, that of the statements that run.
    const ended = this.#running === 0 ? Promise.resolve() : (this.#quiet ??= deferred<void>()).promise
    if (callback === undefined) return ended
    void answer(ended, () => callback(), undefined)
  }

  async #connect(): Promise<ShardConnection> {
    const loan = new ClientLoan(this.#findSite(), { int8: this.#int8 })
    await loan.open()
    const client = shapeClient(loan)
    loan.onRelease((error) => {
      this.emit('release', error, client)
      this.emit('remove', client)
    })
    try {
      this.emit('connect', client)
      this.emit('acquire', client)
    } catch (error) {
      // A listener failed: who waits gets its error instead of the client, which nobody else would give back.
      client.release(true)
      throw error
    }
    return client
  }

  async #query(args: readonly unknown[]): Promise<QueryResult> {
    this.#running += 1
    try {
      return await this.#dispatch(args)
    } finally {
      this.#running -= 1
      if (this.#running === 0) this.#becomeQuiet()
    }
  }

  async #dispatch([statement, values]: readonly unknown[]): Promise<QueryResult> {
    if (isQuery(statement)) return this.#queryOnClient(statement)
    if (isSubmittable(statement)) throw new TypeError('a cursor or stream needs a client of its own: connect() first')
    const config = readStatement(statement, values)
    if (!clientEvents.some((event) => this.listenerCount(event) > 0)) return this.run(config, undefined)
    return this.#queryOnClient(config)
  }

  /** Who asked for the last statement hears of its end first. */
  #becomeQuiet(): void {
    const quiet = this.#quiet
    this.#quiet = undefined
    if (quiet !== undefined) setImmediate(quiet.resolve)
  }

  /** On a client that the listeners of the pool see, as that of any other borrower. */
  async #queryOnClient(statement: StatementConfig | Submittable): Promise<QueryResult> {
    assertLasting(this.#shardId, (statement as { text?: unknown }).text)
    const client = await this.#connect()
    try {
      // Bound: `query_timeout`; without it there is none, as in pg.
      return await new Promise((resolve, reject) => {
        const settle = (error: Error | null, result: QueryResult): void =>
          error === null ? resolve(result) : reject(error)
        client.query(statement as never, settle)
      })
    } finally {
      client.release()
    }
  }

  get #stats(): PoolStats {
    return this.#findSite().findHome().pool.stats()
  }
}
