import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { assertOptions } from '../arguments/arguments.ts'
import { assertCallOptions } from '../arguments/call-options.ts'
import { shardSchema } from '../key/shard-id.ts'
import type { Int8 } from '../shard/query/int8.ts'
import { readStatement } from '../shard/query/query-arguments.ts'
import { ShardPool } from '../shard/query/shard-pool.ts'
import { bindSql, type ShardSql } from '../shard/query/sql.ts'
import type { TransactionOptions } from '../shard/transaction/transaction-options.ts'
import type { OperationOptions } from './operation-options.ts'
import type { Transaction } from './transaction/transaction.ts'
import type { Transactions } from './transaction/transactions.ts'

/** How a shard is looked at. */
export interface ShardOptions {
  /** How a bigint comes out of `query` and `pool`: as `text`, the default, which is what `pg` does, or as a `bigint`. */
  readonly int8?: Int8 | undefined
}

/**
 * One logical shard with tables of your own in it. Names without a schema mean those of the shard, then those of `public`.
 * It holds no connection, and goes where the shard lives, also after `reinstantiate()`.
 */
export class Shard {
  readonly shardId: number
  /** Its schema, such as `shard0005`. */
  readonly schema: string
  /** The shard in the shape of `pg.Pool`: for Kysely's `PostgresDialect`, Drizzle's node-postgres driver and their like. */
  readonly pool: ShardPool
  /**
   * Makes statements of templates, with safe names and values; see `sql`. Awaited, they run here.
   *
   * @example const { rows } = await shard.sql`select * from ${sql.id('photos')} where id = ${id}`
   */
  readonly sql: ShardSql
  readonly #findTransactions: () => Transactions

  /** @param findTransactions gives what there is to work with now */
  constructor(shardId: number, findTransactions: () => Transactions, options: ShardOptions) {
    assertOptions('a shard', options, ['int8'])
    const { int8 = 'text' } = options
    assertInt8(int8)
    this.shardId = shardId
    this.schema = shardSchema(shardId)
    this.pool = new ShardPool(shardId, () => findTransactions().siteOf(shardId), int8)
    this.sql = bindSql((fragment) => this.query(fragment))
    this.#findTransactions = findTransactions
  }

  /**
   * Runs a statement, in a transaction of its own, as `pg` does. It goes after a shard that moves, because what a fence
   * refused was not executed. An error of the server is thrown as it is, with its SQLSTATE in `code`.
   *
   * @throws what `getConnection` throws; `HV_SHARD_MISSING`, `HV_SHARD_MOVED`; `HV_CONNECTION_LOST` when its outcome is
   *   yours to judge; `HV_STATEMENT_REFUSED` for what cannot run in a transaction; the reason of the signal
   */
  async query<R extends QueryResultRow = QueryResultRow>(
    statement: string | QueryConfig,
    values?: readonly unknown[],
    options: OperationOptions = {},
  ): Promise<QueryResult<R>> {
    assertCallOptions('query', options)
    return this.pool.run<R>(readStatement(statement, values), options.signal)
  }

  /** Does work in a transaction in this shard: see `transaction` of the datastore. */
  transaction<T>(work: (tx: Transaction) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#findTransactions().run(this.shardId, work, options)
  }
}

function assertInt8(int8: unknown): void {
  if (int8 === 'text' || int8 === 'bigint') return
  throw new RangeError(`int8 must be text or bigint, got ${JSON.stringify(int8)}`)
}
