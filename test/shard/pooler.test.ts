import { eq, sql as drizzleSql } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { from as copyFrom } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import { finished } from 'node:stream/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { drizzleFor } from '../../src/drizzle.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { Datastore, type Shard } from '../../src/index.ts'
import { kyselyFor } from '../../src/kysely.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { startTransactionPooler } from '../support/transaction-pooler.ts'

/* Behind a pooler in transaction mode the connections of the server change hands after each transaction. */

interface Counters {
  counters: { id: number; n: number }
}
const counters = pgTable('counters', { id: integer().primaryKey(), n: integer().notNull() })

const SHARDS = 6
const ROUNDS = 10

let databases: TestDatabases
let server: ServerConnection

beforeAll(async () => {
  databases = await createDatabases(1)
  server = databases.connections[0] as ServerConnection
  const entry = { ...server, shards: `1-${SHARDS + 1}` }
  await provision([entry])
  await using db = new Datastore({ connections: [entry] })
  for (const shardId of db.topology.shardIds) {
    await db.shard(shardId).query(`create table counters (id int primary key, n int not null);
      insert into counters select id, 0 from generate_series(1, 5) as id`)
  }
})
afterAll(() => databases.drop())

/** One increment in each of the ways that there are to do it. */
async function increment(shard: Shard): Promise<void> {
  const add = 'update counters set n = n + 1 where id = '
  await shard.query(`${add} 1`)
  await shard.query(`${add} $1`, [1])
  await shard.transaction((tx) => tx.query(`${add} $1`, [2]))
  await drizzleFor(shard).transaction(async (tx) => {
    await tx
      .update(counters)
      .set({ n: drizzleSql`${counters.n} + 1` })
      .where(eq(counters.id, 3))
    await tx.transaction((inner) => inner.execute(drizzleSql`select 1`))
  })
  await kyselyFor<Counters>(shard)
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute((trx) =>
      trx
        .updateTable('counters')
        .set((eb) => ({ n: eb('n', '+', 1) }))
        .where('id', '=', 4)
        .execute(),
    )
  const rows = kyselyFor<Counters>(shard, { cursor: Cursor }).selectFrom('counters').where('id', '=', 5).selectAll()
  let seen = 0
  for await (const { n } of rows.stream(1)) seen = n
  await shard.query('update counters set n = $1 where id = 5', [seen + 1])
}

it('statements and transactions of several shards never meet in the wrong schema', async () => {
  await using pooler = await startTransactionPooler(server, 3)
  const entry = { ...server, port: pooler.port, shards: `1-${SHARDS + 1}` }
  await using db = new Datastore({ connections: [entry], poolMax: 8, prepare: false, poolBlockTimeoutMs: 30_000 })
  const shards = db.topology.shardIds.map((shardId) => db.shard(shardId))
  await Promise.all(
    shards.map(async (shard) => {
      for (let round = 0; round < ROUNDS; round += 1) await increment(shard)
    }),
  )
  const found = await Promise.all(
    shards.map(async (shard) =>
      (await shard.query<{ n: number }>('select n from counters order by id')).rows.map(({ n }) => n),
    ),
  )
  expect(found).toEqual(shards.map(() => [2 * ROUNDS, ROUNDS, ROUNDS, ROUNDS, ROUNDS]))
  const paths = Array.from({ length: 6 }, () =>
    db.cursor(1, async (client) => (await client.query('show search_path')).rows),
  )
  expect(await Promise.all(paths)).toEqual(Array(6).fill([{ search_path: '"$user", public' }]))
  const { assignments, clientsOf } = pooler.figures
  expect(assignments).toBeGreaterThan(SHARDS * ROUNDS * 5)
  expect(clientsOf.map((clients) => clients.size)).toEqual(clientsOf.map(() => db.stats()[0]?.created))
})

it('a COPY in a transaction, and entities, go through it too', async () => {
  await using pooler = await startTransactionPooler(server, 2)
  const entry = { ...server, port: pooler.port, shards: `1-${SHARDS + 1}` }
  await using db = new Datastore({ connections: [entry], prepare: false })
  const client = await db.shard(2).pool.connect()
  await client.query('begin')
  const stream = client.query(copyFrom('copy counters from stdin'))
  stream.end('90\t7\n91\t7\n')
  await finished(stream)
  await client.query('commit')
  client.release()
  expect((await db.shard(2).query('delete from counters where n = 7 and id >= 90')).rowCount).toBe(2)
  const keys = await db.putMany(3, 1, [{ a: '1' }, { a: '2' }])
  expect((await db.getMany(keys)).map((entity) => entity?.body)).toEqual([{ a: '1' }, { a: '2' }])
})

it('a pooler that refuses our settings at the start of a connection is told them afterwards, and after each sweep', async () => {
  await using pooler = await startTransactionPooler(server, 1, 'TimeZone')
  const entry = { ...server, port: pooler.port, shards: `1-${SHARDS + 1}` }
  await using db = new Datastore({ connections: [entry], poolMax: 1, prepare: false })
  const zone = 'show timezone'
  expect((await db.shard(1).query(zone)).rows).toEqual([{ TimeZone: 'UTC' }])
  await db.shard(1).query(`set time zone 'Asia/Tokyo'`)
  expect((await db.shard(2).query(zone)).rows).toEqual([{ TimeZone: 'UTC' }])
  expect(db.stats()[0]).toMatchObject({ created: 1 })
})
