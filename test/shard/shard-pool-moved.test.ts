import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Client } from 'pg'
import { drizzleFor } from '../../src/drizzle.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { Datastore, isHypervaultError, type Shard } from '../../src/index.ts'
import { kyselyFor } from '../../src/kysely.ts'
import { deferred } from '../../src/pool/deferred.ts'
import { raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { provision } from '../../src/schema/provision.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { until } from '../support/until.ts'

interface Photos {
  photos: { id: number }
}

let fleet: TestFleet
let db: Datastore

beforeEach(async () => {
  fleet = await createFleet()
  await execute(0, 'create table shard0001.photos (id int primary key)')
  db = await open()
})
afterEach(async () => {
  await db.disconnect()
  await fleet[Symbol.asyncDispose]()
})

function open(): Promise<Datastore> {
  return Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 60_000, poolMax: 2 })
}

async function execute(server: number, ...statements: string[]): Promise<unknown[]> {
  const client = new Client(fleet.connections[server])
  await client.connect()
  try {
    return (await client.query(statements.join(';\n'))).rows
  } finally {
    await client.end()
  }
}

/** Raises a fence on shard 1, and places the shard on the third server, as the switch of a move does. */
async function moveShard(): Promise<void> {
  await provision([{ ...(fleet.connections[2] as ServerConnection), shards: '1-2' }])
  await execute(2, 'create table shard0001.photos (id int primary key)')
  await execute(0, ...raiseFenceSql({ shardId: 1, target: 's3', epoch: 3 }, ['entities', 'photos']))
  await fleet.catalog.change({ action: 'test', details: {} }, (session) =>
    session.read({ text: `update hypervault.placements set server_id = 's3' where shard_id = 1`, values: [] }),
  )
}

describe('after a shard has moved', () => {
  it('what its fence refuses goes where the shard lives, in every way to write that runs once', async () => {
    const ways: ((shard: Shard, id: number) => Promise<unknown>)[] = [
      (shard, id) => shard.query('insert into photos values ($1)', [id]),
      (shard, id) => shard.query(`insert into photos values (${id})`),
      (shard, id) => kyselyFor<Photos>(shard).insertInto('photos').values({ id }).execute(),
      (shard, id) => drizzleFor(shard).execute(`insert into photos values (${id})`),
      (shard, id) => shard.transaction((tx) => tx.query('insert into photos values ($1)', [id])),
    ]
    // One datastore each, because the first refusal tells a datastore of the move.
    const stores = await Promise.all(ways.map(open))
    const writeAll = (firstId: number): Promise<unknown> =>
      Promise.all(ways.map((write, index) => write((stores[index] as Datastore).shard(1), firstId + index)))
    await writeAll(0)
    await moveShard()
    await writeAll(10)
    expect(await execute(0, 'select id from shard0001.photos order by id')).toEqual(
      [0, 1, 2, 3, 4].map((id) => ({ id })),
    )
    expect(await execute(2, 'select id from shard0001.photos order by id')).toEqual(
      [10, 11, 12, 13, 14].map((id) => ({ id })),
    )
    expect(stores.flatMap((store) => store.stats().map(({ lent }) => lent))).toEqual(Array(15).fill(0))
    await Promise.all(stores.map((store) => store.disconnect()))
  })

  it('so does a transaction of a query builder, once its old schema is gone', async () => {
    await db.shard(1).query('select 1')
    await moveShard()
    await execute(0, 'drop schema shard0001 cascade', 'create table public.photos (id int primary key)')
    await kyselyFor<Photos>(db.shard(1))
      .transaction()
      .execute((trx) => trx.insertInto('photos').values({ id: 3 }).execute())
    expect(await execute(0, 'select id from public.photos')).toEqual([])
    expect(await execute(2, 'select id from shard0001.photos')).toEqual([{ id: 3 }])
  })

  it('a transaction of a query builder that its fence refuses is yours to repeat, and then goes there', async () => {
    const insert = (before: () => Promise<void>): Promise<unknown> =>
      kyselyFor<Photos>(db.shard(1))
        .transaction()
        .execute(async (trx) => {
          await before()
          await trx.insertInto('photos').values({ id: 4 }).execute()
        })
    const insertByDrizzle = (before: () => Promise<void>): Promise<unknown> =>
      drizzleFor(db.shard(1)).transaction(async (tx) => {
        await before()
        await tx.execute('insert into photos values (5)')
      })
    const moving = deferred<void>()
    const failures = Promise.allSettled([insert(() => moving.promise), insertByDrizzle(() => moving.promise)])
    await until('both have begun', () => db.stats()[0]?.lent === 2)
    await moveShard()
    moving.resolve()
    const moved = { code: 'HV_SHARD_MOVED', retryable: true, details: { serverId: 's1', target: 's3' } }
    expect(await failures).toMatchObject([{ reason: moved }, { reason: { cause: moved } }])
    await db.shard(1).query('insert into photos values (6)')
    await insert(() => Promise.resolve())
    await insertByDrizzle(() => Promise.resolve())
    expect(await execute(2, 'select id from shard0001.photos order by id')).toEqual([{ id: 4 }, { id: 5 }, { id: 6 }])
  })

  it('a client that was used before does not leave its connection: its session may matter', async () => {
    const client = await db.shard(1).pool.connect()
    await client.query('select pg_advisory_lock(1)')
    await moveShard()
    const failure: unknown = await client.query('insert into photos values (7)').catch((error: unknown) => error)
    expect(isHypervaultError(failure, 'HV_SHARD_MOVED')).toBe(true)
    expect((await client.query('select pg_advisory_unlock(1) as was')).rows).toEqual([{ was: true }])
    client.release()
  })

  it('nor does one that has sent two statements at once', async () => {
    const client = await db.shard(1).pool.connect()
    await moveShard()
    const both = [client.query('insert into photos values (8)'), client.query('select 1 as n')]
    expect(await Promise.allSettled(both)).toMatchObject([
      { reason: { code: 'HV_SHARD_MOVED' } },
      { value: { rows: [{ n: 1 }] } },
    ])
    client.release()
  })
})
