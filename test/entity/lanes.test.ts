import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Datastore,
  type ConnectionEntry,
  type DatastoreOptions,
  type Key,
  type OperationOptions,
} from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

/** Shards 1 to 9 on one server. */
beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-10' }]
  await provision(connections)
})
afterAll(() => databases.drop())

function open(options: Partial<DatastoreOptions> = {}): Datastore {
  return new Datastore({ connections, ...options })
}

async function onServer<T>(work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client(databases.connections[0])
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

const run = <T extends object>(sql: string): Promise<T[]> => onServer(async (admin) => (await admin.query<T>(sql)).rows)

/** Locks the table of a shard against everybody for the time of `work`. */
async function whileLocked<T>(shardId: number, work: () => Promise<T>): Promise<T> {
  return onServer(async (holder) => {
    await holder.query(`begin; lock table shard000${shardId}.entities in access exclusive mode`)
    const result = await work()
    await holder.query('rollback')
    return result
  })
}

const waiting = `from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`

async function someoneWaits(count = 1): Promise<void> {
  await until('somebody waits for the lock', async () => (await run(`select 1 ${waiting}`)).length === count)
}

/** Kills the backend that waits for a lock. */
async function killWaiting(): Promise<void> {
  await until('one was killed', async () => (await run(`select pg_terminate_backend(pid) ${waiting}`)).length === 1)
}

const places = (count: number): number[] => Array.from({ length: count }, (_, place) => place)

describe.each<[string, (db: Datastore, key: Key, options?: OperationOptions) => Promise<unknown>]>([
  ['get', (db, key, options) => db.get(key, options)],
  ['find', async (db, key, options) => (await db.find(key.shardId, { where: {} }, options)).at(-1)],
])('a %s that came back', (_verb, read) => {
  it('and whose caller has left does not hold up the others', async () => {
    await using db = open({ poolMax: 1 })
    const key = await db.put(1, 1, { a: '1' })
    const leaving = new AbortController()
    const [left, stayed, connection] = await whileLocked(1, async () => {
      const left = expect(read(db, key, { signal: leaving.signal })).rejects.toThrow('left')
      await someoneWaits()
      const stayed = read(db, key)
      const connection = db.getConnection(1)
      await killWaiting()
      return [left, stayed, await connection] as const
    })
    leaving.abort(new Error('left'))
    await left
    db.putConnection(connection)
    expect(await stayed).toMatchObject({ body: { a: '1' } })
  })

  it('waits for a connection no longer than any other', async () => {
    await using db = open({ poolMax: 1, poolBlockTimeoutMs: 400 })
    const key = await db.put(1, 1, {})
    const { late, connection } = await whileLocked(1, async () => {
      const late = expect(read(db, key)).rejects.toMatchObject({ code: 'HV_POOL_TIMEOUT' })
      await someoneWaits()
      const connection = db.getConnection(1)
      await killWaiting()
      return { late, connection: await connection }
    })
    await late
    db.putConnection(connection)
  })
})

describe('a channel', () => {
  it('uses a connection that others wait for before it gives it back', async () => {
    await using db = open({ poolMax: 1 })
    const key = await db.put(1, 1, {})
    await db.reinstantiate()
    const rounds = places(5).map(() => Promise.all([db.get(key), db.find(1, { limit: 1 }), db.put(2, 1, {})]))
    expect((await Promise.all(rounds)).map(([entity]) => entity?.key.equals(key))).toEqual(places(5).map(() => true))
  })

  it('gives a connection that it does not need any more to others who wait', async () => {
    await using db = open({ poolMax: 1 })
    const key = await db.put(1, 1, {})
    const held = await db.getConnection(1)
    const leaving = new AbortController()
    const left = expect(db.get(key, { signal: leaving.signal })).rejects.toThrow('left')
    const found = db.find(1, { limit: 1 })
    leaving.abort(new Error('left'))
    await left
    db.putConnection(held)
    expect(await found).toHaveLength(1)
  })

  it('that opens again and again leaves nothing on its connection', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): number => warnings.push(warning)
    process.on('warning', onWarning)
    await using db = open({ poolMax: 1 })
    const key = await db.put(1, 1, {})
    for (const _ of places(15)) {
      await db.get(key)
      await db.cursor(1, () => undefined)
    }
    process.off('warning', onWarning)
    expect(db.stats()[0]?.created).toBe(1)
    expect(warnings).toEqual([])
  })

  it('that opens again and again keeps to its number of prepared statements', async () => {
    await using db = open({ poolMax: 1, preparedMax: 3 })
    const prepared = (): Promise<string[]> =>
      db.cursor(1, async (client) => {
        const sql = `select name from pg_prepared_statements where name like 'hv\\_%'`
        return (await client.query<{ name: string }>(sql)).rows.map(({ name }) => name)
      })
    for (const shardId of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      await db.put(shardId, 1, {})
      await db.cursor(1, () => undefined)
    }
    expect(await prepared()).toHaveLength(3)
    expect(db.stats()[0]?.created).toBe(1)
  })
})

describe('a change that waits for a row which somebody holds', () => {
  it.each([10, 4])('holds up no read and no put, with %i connections', async (poolMax) => {
    await using db = open({ poolMax })
    const [held, ...others] = await Promise.all(places(30).map((place) => db.put(1 + (place % 9), 1, {})))
    const readAndPut = (): Promise<unknown> =>
      Promise.all(others.flatMap((key) => [db.get(key), db.exists(key), db.put(key.shardId, 1, {})]))
    await readAndPut()
    await onServer(async (holder) => {
      await holder.query(`begin; select 1 from shard0001.entities where id = ${held} for update`)
      const before = readAndPut()
      const change = db.update(held as Key, { set: { a: 'b' } })
      const behind = readAndPut()
      await someoneWaits()
      await Promise.all([before, behind, readAndPut()])
      await holder.query('rollback')
      expect(await change).toMatchObject({ status: 'changed' })
    })
  })
})

describe('a body', () => {
  it('is stored as it was when put was called, however many wait', async () => {
    await using db = open()
    const body = { n: '' }
    const keys = await Promise.all(
      places(12_000).map((n) => {
        body.n = String(n)
        return db.put(2, 1, body)
      }),
    )
    expect((await db.getMany(keys)).map((entity) => Number(entity?.body.n))).toEqual(places(12_000))
  })

  it.each(['23514', '42501', 'XY001', '0A000', '40P01'])(
    'that a trigger refuses with SQLSTATE %s fails alone',
    async (sqlstate) => {
      await using db = open()
      await run(`
      create or replace function shard0003.refuse() returns trigger language plpgsql as
        $$ begin raise exception 'refused' using errcode = '${sqlstate}'; end $$;
      create or replace trigger refuse before insert on shard0003.entities
        for each row when (new.body ? 'evil') execute function shard0003.refuse()`)
      await db.put(3, 1, {})
      const outcomes = await Promise.allSettled(
        places(40).map((n) => db.put(3, 1, n === 29 ? { evil: '1' } : { n: String(n) })),
      )
      expect(outcomes[29]).toMatchObject({ reason: { code: 'HV_STATEMENT_FAILED', details: { sqlstate } } })
      const keys = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      expect(keys).toHaveLength(39)
      expect((await db.getMany(keys)).map((entity) => Number(entity?.body.n))).toEqual(
        places(40).filter((n) => n !== 29),
      )
    },
  )
})

/** What a pooler says when it has lost its server: an error of the protocol that names no routine of PostgreSQL. */
function wordsOfPooler(sqlstate: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${sqlstate}\0Mserver connection lost\0\0`)
  const head = Buffer.alloc(5, 'E')
  head.writeInt32BE(4 + fields.length, 1)
  return Buffer.concat([head, fields])
}

describe('puts on one connection that ends', () => {
  const outcomeUnknown = { status: 'rejected', reason: { code: 'HV_OUTCOME_UNKNOWN' } }
  const count = async (shardId: number, n: string): Promise<number> => {
    const sql = `select 1 from shard000${shardId}.entities where body -> 'n' = '${n}'`
    return (await run(sql)).length
  }

  it('are sent again if the server has provably not read them', async () => {
    await using db = open({ poolMax: 1 })
    await db.put(1, 1, {})
    const puts = await whileLocked(1, async () => {
      const puts = Promise.allSettled([1, 2, 3].map((shardId) => db.put(shardId, 1, { n: 'behind' })))
      await someoneWaits()
      await killWaiting()
      return puts
    })
    expect(puts).toMatchObject([outcomeUnknown, { status: 'fulfilled' }, { status: 'fulfilled' }])
    expect(await Promise.all([1, 2, 3].map((shardId) => count(shardId, 'behind')))).toEqual([0, 1, 1])
  })

  it.each(['08P01', '57P01'])('by the word of a pooler, SQLSTATE %s, are not sent again', async (sqlstate) => {
    await using proxy = await startCuttingProxy(databases.connections[0] as ServerConnection)
    await using db = open({ poolMax: 1, connections: [{ ...(connections[0] as ConnectionEntry), port: proxy.port }] })
    await db.put(1, 1, {})
    await db.put(2, 1, {})
    proxy.cutAnswerTo(sqlstate, wordsOfPooler(sqlstate))
    const puts = await Promise.allSettled([1, 2].map((shardId) => db.put(shardId, 1, { n: sqlstate })))
    expect(puts).toMatchObject([outcomeUnknown, outcomeUnknown])
    await until('both are stored', async () => (await count(1, sqlstate)) + (await count(2, sqlstate)) === 2)
  })
})

describe('disconnect()', () => {
  it('lets no call in, also into lanes that are never idle', async () => {
    const db = open()
    const keys: Key[] = [await db.put(1, 1, {}), await db.put(2, 1, {})]
    const busy = keys.map(async (key) => {
      for (;;) await db.get(key)
    })
    const ends = busy.map((each) => expect(each).rejects.toMatchObject({ code: 'HV_CLOSED' }))
    await db.get(keys[0] as Key)
    const disconnected = db.disconnect()
    await expect(db.get(keys[0] as Key)).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await Promise.all(ends)
    await disconnected
  })
})
