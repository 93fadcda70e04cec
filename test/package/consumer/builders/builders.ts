import { eq, sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { Kysely, PostgresDialect, type Generated } from 'kysely'
import { Datastore, sql, type Shard, type ShardPool } from 'pg-hypervault'
import { drizzleFor } from 'pg-hypervault/drizzle'
import { kyselyFor } from 'pg-hypervault/kysely'

interface Tables {
  photos: { id: Generated<number>; title: string }
}
const photos = pgTable('photos', { id: integer().primaryKey(), title: text().notNull() })
const schema = { photos }

export async function useKysely(db: Datastore): Promise<string> {
  const shard: Shard = db.shard(5)
  const own = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: shard.pool }) })
  await own.insertInto('photos').values({ title: 'x' }).execute()
  const { id } = await kyselyFor<Tables>(shard).selectFrom('photos').select('id').executeTakeFirstOrThrow()
  return db.transaction(5, async (tx) => {
    const { title } = await kyselyFor<Tables>(tx)
      .selectFrom('photos')
      .where('id', '=', id)
      .selectAll()
      .executeTakeFirstOrThrow()
    return title
  })
}

export async function useDrizzle(db: Datastore): Promise<string | undefined> {
  const pool: ShardPool = db.shard(5, { int8: 'bigint' }).pool
  const [first] = await drizzle({ client: pool }).select().from(photos).where(eq(photos.id, 1))
  const found = await drizzleFor(db.shard(5), { schema }).query.photos.findMany()
  await db.transaction(5, (tx) => drizzleFor(tx).execute(drizzleSql`select 1`))
  return first?.title ?? found[0]?.title
}

export async function useSql(shard: Shard): Promise<number> {
  const { rows } = await shard.sql<{ id: number }>`select id from ${sql.id('photos')} where id in (${sql.join([1, 2])})`
  const result = await shard.query<{ id: number }>('select id from photos', [], { signal: AbortSignal.timeout(1_000) })
  return (rows[0]?.id ?? 0) + (result.rows[0]?.id ?? 0)
}

export async function mistakes(shard: Shard): Promise<void> {
  // @ts-expect-error the table has no such column
  await kyselyFor<Tables>(shard).selectFrom('photos').select('name').execute()
  // @ts-expect-error the schema has no such table
  await drizzleFor(shard, { schema }).query.users.findMany()
  // @ts-expect-error text is no template
  sql('select 1')
  // @ts-expect-error a name is text
  sql.id(5)
  // @ts-expect-error the separator is a fragment
  sql.join([1], ', ')
  // @ts-expect-error numbers would lose digits
  new Datastore({ connections: [] }).shard(5, { int8: 'number' })
}
