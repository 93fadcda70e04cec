import { EventEmitter } from 'node:events'
import type { Pool, PoolClient, PoolOptions, QueryResult, QueryResultRow } from 'pg'
import type { PoolStats } from '../../pool/stats.ts'
import { isSubmittable, type ShardConnection } from '../shard-connection.ts'
import type { ShardSite } from '../shard-site.ts'
import { shapeClient } from './client-shape.ts'
import type { Int8 } from './int8.ts'
import { ClientLoan } from './pool-client.ts'
import { answer, readStatement, splitCallback, type StatementConfig } from './query-arguments.ts'

/** Calls of `connect()` with a callback get the function that releases the client as well. */
type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: unknown) => void,
) => void

/**
 * One logical shard in the shape of `pg.Pool`, for Kysely, Drizzle, and whatever else takes one. Names without a schema
 * mean those of the shard, in every statement and transaction, also behind a pooler in transaction mode. It has no
 * connections of its own: all shards of a server share those of the datastore. It emits no events.
 */
export class ShardPool extends EventEmitter implements Pool {
  /**
   * Said once more, because a minifier that shortens the name of the class leaves this: Drizzle tells a pool by a class whose
   * name contains "Pool", and runs the statements of a transaction on several connections when it does not see one.
   */
  static override readonly name: string = 'ShardPool'

  /** The datastore ends its pools, nobody else does. */
  readonly ending = false
  readonly ended = false
  readonly expiredCount = 0
  readonly #shardId: number
  readonly #findSite: () => ShardSite
  readonly #int8: Int8

  /** @param findSite gives what there is to work with now */
  constructor(shardId: number, findSite: () => ShardSite, int8: Int8) {
    super()
    this.#shardId = shardId
    this.#findSite = findSite
    this.#int8 = int8
  }

  get shardId(): number {
    return this.#shardId
  }

  /** Open connections to the server of the shard; others use them too. */
  get totalCount(): number {
    return this.#stats.total
  }

  get idleCount(): number {
    return this.#stats.idle
  }

  get waitingCount(): number {
    return this.#stats.waiting
  }

  get options(): PoolOptions {
    const { poolMax } = this.#findSite()
    return { max: poolMax, maxUses: Infinity, allowExitOnIdle: false, maxLifetimeSeconds: 0, idleTimeoutMillis: null }
  }

  /**
   * Lends a client, to be given back by `release()`. What is done on it is yours to repeat, but for its first statement,
   * which goes after a shard that moves.
   *
   * @throws `HV_SHARD_UNKNOWN`, `HV_POOL_TIMEOUT`, `HV_CONNECT_FAILED`, `HV_CLOSED`
   */
  connect(): Promise<ShardConnection>
  connect(callback: ConnectCallback): void
  connect(callback?: ConnectCallback): Promise<ShardConnection> | void {
    const client = this.#connect()
    if (callback === undefined) return client
    void answer(client, (error, given) =>
      callback(error as Error | undefined, given, (broken) => given?.release(Boolean(broken))),
    )
  }

  /**
   * Runs a statement by itself, in a transaction of its own. It goes after a shard that moves.
   *
   * @throws what `connect` throws; `HV_SHARD_MISSING`, `HV_SHARD_MOVED`, `HV_CONNECTION_LOST`; `HV_STATEMENT_REFUSED` for
   *   what cannot run in a transaction; every other error of the server as it is
   */
  readonly query = ((...given: unknown[]) => {
    const { args, callback } = splitCallback(given)
    return answer(this.#query(args), callback)
  }) as Pool['query']

  /** As `query`, but ended by a signal: the wait, and the statement also at the server. */
  async run<R extends QueryResultRow>(
    statement: StatementConfig,
    signal: AbortSignal | undefined,
  ): Promise<QueryResult<R>> {
    await using loan = new ClientLoan(this.#findSite(), { int8: this.#int8, signal })
    return (await loan.run(statement)) as QueryResult<R>
  }

  /** Does nothing: the connections belong to the datastore. */
  end(): Promise<void>
  end(callback: () => void): void
  end(callback?: () => void): Promise<void> | void {
    const ended = Promise.resolve()
    if (callback === undefined) return ended
    void answer(ended, () => callback())
  }

  async #connect(): Promise<ShardConnection> {
    const loan = new ClientLoan(this.#findSite(), { int8: this.#int8 })
    await loan.open()
    return shapeClient(loan)
  }

  async #query([statement, values]: readonly unknown[]): Promise<QueryResult> {
    if (isSubmittable(statement)) throw new TypeError('a cursor or stream needs a client of its own: connect() first')
    return this.run(readStatement(statement, values), undefined)
  }

  get #stats(): PoolStats {
    return this.#findSite().findHome().pool.stats()
  }
}
