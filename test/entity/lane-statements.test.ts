import { getEventListeners } from 'node:events'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type ConnectionEntry, type DatastoreOptions, type Key } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

/** Enough that they lean on three channels. */
const SHARDS = 150

let databases: TestDatabases
let connections: ConnectionEntry[]

/** Shards 1 to 150 on one server. */
beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: `1-${SHARDS + 1}` }]
  await provision(connections)
})
afterAll(() => databases.drop())

interface LoggedStatement {
  readonly sql: string
  readonly rows: number
}

/** A datastore that tells how many rows each of its statements gave that has this word in it. */
function openListening(options: Partial<DatastoreOptions> = {}): { db: Datastore; rowsOf(word: string): number[] } {
  const logged: LoggedStatement[] = []
  const logger = { debug: (fields: object) => logged.push(fields as LoggedStatement), warn: () => undefined }
  const rowsOf = (word: string): number[] => logged.filter(({ sql }) => sql.includes(word)).map(({ rows }) => rows)
  return { db: new Datastore({ connections, logger, ...options }), rowsOf }
}

async function onServer(sql: string): Promise<void> {
  const admin = new Client(databases.connections[0])
  await admin.connect()
  await admin.query(sql).finally(() => admin.end())
}

const places = (count: number): number[] => Array.from({ length: count }, (_, place) => place)
const sumOf = (amounts: readonly number[]): number => amounts.reduce((sum, each) => sum + each, 0)

describe('a statement of a lane', () => {
  it('looks up at most 1024 keys', async () => {
    const { db, rowsOf } = openListening()
    await using _ = db
    const key = await db.put(1, 1, {})
    const keys = [
      key,
      ...(await db.putMany(
        1,
        1,
        places(2_999).map(() => ({})),
      )),
    ]
    await Promise.all(keys.map((each) => db.get(each)))
    const rows = rowsOf('where id =')
    expect(Math.max(...rows)).toBe(1_024)
    expect(sumOf(rows)).toBe(3_000)
  })

  it('stores at most 512 entities and a million characters', async () => {
    const { db, rowsOf } = openListening()
    await using _ = db
    await Promise.all(places(2_000).map(() => db.put(2, 1, {})))
    expect(Math.max(...rowsOf('shard0002'))).toBe(512)
    const bulky = { text: 'x'.repeat(300_000) }
    await Promise.all(places(12).map(() => db.put(3, 1, bulky)))
    expect(Math.max(...rowsOf('shard0003'))).toBe(3)
    await db.put(4, 1, { text: 'x'.repeat(3_000_000) })
    expect(rowsOf('shard0004')).toEqual([1])
  })

  it('is one for each call without batches, asked for once or for ever', async () => {
    const { db, rowsOf } = openListening()
    await using _ = db
    const key = await db.put(5, 1, {})
    await Promise.all(places(20).map(() => db.get(key, { batch: false })))
    expect(rowsOf('where id =')).toEqual(places(20).map(() => 1))
    const alone = openListening({ batch: false })
    await using __ = alone.db
    await Promise.all(places(20).map(() => alone.db.get(key)))
    await Promise.all(places(20).map(() => alone.db.put(5, 1, {})))
    expect(alone.rowsOf('shard0005')).toEqual(places(40).map(() => 1))
  })
})

describe('a busy shard', () => {
  it('lets the calls of another one pass after a statement or two', async () => {
    await using db = new Datastore({ connections, poolMax: 1 })
    const cold = await db.put(2, 1, {})
    await db.put(1, 1, {})
    let stored = 0
    const hot = places(8_000).map(async () => {
      await db.put(1, 1, { of: 'the busy shard' })
      stored += 1
    })
    for (const _ of places(3)) {
      const before = stored
      expect(await db.get(cold)).toBeDefined()
      expect(stored - before).toBeLessThanOrEqual(2 * 512)
    }
    expect(stored).toBeLessThan(8_000)
    await Promise.all(hot)
  })
})

describe('shards', () => {
  /** Backends that have served each shard, told by the server itself. */
  async function readBackends(db: Datastore, keys: readonly Key[]): Promise<Set<string>[]> {
    const entities = await db.getMany(keys)
    const backends = new Map<number, Set<string>>()
    for (const entity of entities) {
      if (entity === undefined) throw new Error('an entity is lost')
      const known = backends.get(entity.key.shardId) ?? new Set()
      backends.set(entity.key.shardId, known.add(String(entity.body.backend)))
    }
    return [...backends.values()]
  }

  it('each lean on one backend, and as few of them as may be', async () => {
    const shardIds = places(SHARDS).map((place) => place + 1)
    await onServer(`
      create function tell_backend() returns trigger language plpgsql as
        $$ begin new.body = new.body || public.hstore('backend', pg_backend_pid()::text); return new; end $$;
      ${shardIds.map((shardId) => tellBackend(shardId)).join('\n')}`)
    await using db = new Datastore({ connections })
    const keys: Key[] = []
    for (const _ of places(3)) for (const shardId of shardIds) keys.push(await db.put(shardId, 1, {}))
    const backends = await readBackends(db, keys)
    expect(backends.map(({ size }) => size)).toEqual(shardIds.map(() => 1))
    expect(new Set(backends.flatMap((each) => [...each])).size).toBe(Math.ceil(SHARDS / 64))
  })

  function tellBackend(shardId: number): string {
    const schema = `shard${String(shardId).padStart(4, '0')}`
    return `create trigger tell before insert on ${schema}.entities for each row execute function tell_backend();`
  }
})

describe('a prepared statement', () => {
  const countPrepared = (db: Datastore): Promise<number> =>
    db.cursor(6, async (client) => {
      const sql = `select count(*)::int as count from pg_prepared_statements where statement like '%.entities%'`
      return (await client.query<{ count: number }>(sql)).rows[0]?.count ?? NaN
    })

  it('is kept by the server, unless that is not wanted', async () => {
    const wanted = [true, false].flatMap((prepare) => [true, false].map((batch) => ({ prepare, batch })))
    for (const { prepare, batch } of wanted) {
      await using db = new Datastore({ connections, poolMax: 1, prepare, batch })
      const expected = prepare ? 2 : 0
      await db.get(await db.put(6, 1, {}))
      expect(await countPrepared(db)).toBe(expected)
    }
  })

  /** Calls that travel alone and together; gives the kinds of what was read. */
  async function callAll(db: Datastore, key: Key): Promise<unknown[]> {
    const alone = [await db.get(key), await db.get(key, { batch: false })]
    await db.put(key.shardId, 1, {})
    await db.put(key.shardId, 1, {}, { batch: false })
    const together = places(10).map(() => Promise.all([db.get(key), db.put(key.shardId, 1, {})]))
    return [...alone, ...(await Promise.all(together)).map(([entity]) => entity)].map((entity) => entity?.kind)
  }

  it('that the session has forgotten is prepared again, for all who wait', async () => {
    await using db = new Datastore({ connections, poolMax: 1 })
    const key = await db.put(6, 3, {})
    await callAll(db, key)
    await db.cursor(6, (client) => client.query('deallocate all'))
    expect(await callAll(db, key)).toEqual(places(12).map(() => 3))
  })

  it('whose result has changed its types is prepared again, for all who wait', async () => {
    await using db = new Datastore({ connections, poolMax: 1 })
    const key = await db.put(7, 3, {})
    await callAll(db, key)
    await onServer('alter table shard0007.entities alter column type type integer')
    expect(await callAll(db, key)).toEqual(places(12).map(() => 3))
  })
})

it('any number of calls under one signal cost it one listener', async () => {
  await using db = new Datastore({ connections })
  const key = await db.put(8, 1, {})
  const { signal } = new AbortController()
  const calls = places(50).flatMap(() => [
    db.get(key, { signal }),
    db.get(key, { signal, batch: false }),
    db.shard(8).query('select 1', [], { signal }),
    db.transaction(8, (tx) => tx.get(key), { signal }),
  ])
  const countListeners = (): number => getEventListeners(signal, 'abort').length
  const counts = await Promise.all(calls.map((call) => call.then(countListeners)))
  expect(Math.max(...counts)).toBe(1)
  expect(countListeners()).toBe(0)
})
