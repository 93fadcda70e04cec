import { Kysely, PostgresDialect, type KyselyConfig, type PostgresCursorConstructor, type PostgresPool } from 'kysely'
import type { Shard } from './entity/shard.ts'
import type { Transaction } from './entity/transaction/transaction.ts'

/** What `Kysely` takes, without the dialect. */
export interface KyselyShardOptions extends Omit<KyselyConfig, 'dialect'> {
  /** The class `Cursor` of `pg-cursor`, which `stream()` needs. */
  readonly cursor?: PostgresCursorConstructor | undefined
}

/**
 * Kysely on the tables of a shard, or inside a transaction of `db.transaction()`, where it cannot begin one of its own.
 * Make one whenever you need it: it holds nothing, and `destroy()` ends nothing.
 *
 * @example const { id } = await kyselyFor<Database>(db.shard(5)).selectFrom('person').select('id').executeTakeFirstOrThrow()
 */
export function kyselyFor<DB>(on: Shard | Transaction, { cursor, ...config }: KyselyShardOptions = {}): Kysely<DB> {
  const pool: PostgresPool = 'pool' in on ? on.pool : poolOf(on)
  const dialect = new PostgresDialect({ pool, ...(cursor !== undefined && { cursor }) })
  return new Kysely<DB>({ ...config, dialect })
}

/** A pool of one: every client is the transaction. */
function poolOf(tx: Transaction): PostgresPool {
  const query = (text: unknown, values?: readonly unknown[]): unknown => tx.query(text as string, values)
  const client = { query, release: () => undefined } as Awaited<ReturnType<PostgresPool['connect']>>
  return { connect: () => Promise.resolve(client), end: () => Promise.resolve() }
}
