import fc from 'fast-check'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Datastore,
  DEFAULT_EPOCH_MS,
  encodeHstore,
  Key,
  type ConnectionEntry,
  type FindQuery,
} from '../../src/index.ts'
import { ServerSite } from '../../src/entity/site/server-site.ts'
import { SessionEntities } from '../../src/entity/session-entities.ts'
import { ServerPool } from '../../src/pool/server-pool.ts'
import { StatementLog } from '../../src/pool/statement-log.ts'
import { withShardSession } from '../../src/shard/shard-session.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { until } from '../support/until.ts'
import { arbitraryEntities, arbitraryQuery, findInModel, idAt, type ModelEntity } from './find-model.ts'

/** The second database keeps hstore in a schema whose name has to be quoted. */
const EXTENSIONS = 'My "ext".ensions'

const channelSettings = { statementTimeoutMs: 10_000, idleTimeoutMs: 10_000, preparedMax: 10 }

let databases: TestDatabases
let connections: ConnectionEntry[]
let admins: Client[]
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = [
    { ...databases.connections[0], shards: '0-5' },
    { ...databases.connections[1], shards: '5-9' },
  ]
  admins = await Promise.all(
    databases.connections.map(async (connection) => {
      const admin = new Client(connection)
      await admin.connect()
      return admin
    }),
  )
  const schema = `"${EXTENSIONS.replaceAll('"', '""')}"`
  await admins[1]!.query(`create schema ${schema}; create extension hstore schema ${schema}`)
  await admins[1]!.query(`set search_path to public, ${schema}`)
  await provision(connections)
  db = new Datastore({ connections })
})
afterAll(async () => {
  await db.disconnect()
  await Promise.all(admins.map((admin) => admin.end()))
  await databases.drop()
})

function adminOf(shardId: number): Client {
  return admins[shardId < 5 ? 0 : 1]!
}

async function store(shardId: number, entities: readonly ModelEntity[]): Promise<void> {
  const schema = `shard000${shardId}`
  await adminOf(shardId).query(`truncate ${schema}.entities`)
  if (entities.length === 0) return
  await adminOf(shardId).query(
    `insert into ${schema}.entities (id, type, body)
      select id, type, body::hstore from unnest($1::bigint[], $2::smallint[], $3::text[]) as new (id, type, body)`,
    [
      entities.map(({ id }) => String(id)),
      entities.map(({ kind }) => kind),
      entities.map(({ body }) => encodeHstore(body)),
    ],
  )
}

async function foundBy(shardId: number, query: FindQuery): Promise<ModelEntity[]> {
  const found = await db.find(shardId, query)
  return found.map(({ key, kind, body }) => ({ id: key.id, kind, body }))
}

describe('a find', () => {
  it.each([
    [0, 'in public'],
    [6, 'in another schema'],
  ])('in shard %d, with hstore %s, gives what a filter in memory gives', async (shardId) => {
    const some = fc.array(arbitraryQuery(shardId, DEFAULT_EPOCH_MS), { minLength: 20, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(arbitraryEntities(shardId), some, async (entities, queries) => {
        await store(shardId, entities)
        const found = await Promise.all(queries.map((query) => foundBy(shardId, query)))
        expect(found).toEqual(queries.map((query) => findInModel(entities, query, DEFAULT_EPOCH_MS)))
      }),
      { numRuns: 100 },
    )
  })

  it('pages through everything in the order of creation, across the year 2048, both ways', async () => {
    const days = [-3, -2, -1, 0, 1, 2, 3].map((day) => 2 ** 40 + day * 86_400_000)
    const entities = days.map((ms) => ({ id: idAt(3, ms, 7), kind: 1, body: { at: String(ms) } }))
    await store(3, [...entities].reverse())
    for (const order of ['asc', 'desc'] as const) {
      const expected = order === 'asc' ? entities : [...entities].reverse()
      const pages: ModelEntity[] = []
      let after: Key | undefined
      do {
        const page = await db.find(3, { order, limit: 2, kind: 1, ...(after !== undefined && { after }) })
        pages.push(...page.map(({ key, kind, body }) => ({ id: key.id, kind, body })))
        after = page.at(-1)?.key
      } while (after !== undefined)
      expect(pages).toEqual(expected)
    }
  })

  it('asks for all fields of equals, and for all parts of where', async () => {
    const bodies = [
      { a: '1', b: '2' },
      { a: '1', b: '3' },
      { a: '2', b: '2' },
      { a: '1', b: '2', c: null },
    ]
    await store(
      4,
      bodies.map((body, n) => ({ id: idAt(4, 1_000 + n, 0), kind: 1, body })),
    )
    const equals = { b: '2', a: '1' }
    expect(await foundBy(4, { where: { equals } })).toMatchObject([{ body: bodies[0]! }, { body: bodies[3]! }])
    expect(await foundBy(4, { where: { equals, has: 'c' } })).toMatchObject([{ body: bodies[3]! }])
    expect(await foundBy(4, { where: { equals, hasAny: [] } })).toEqual([])
  })

  it('without a query gives the first hundred', async () => {
    const entities = Array.from({ length: 130 }, (_, n) => ({ id: idAt(4, 1_000 + n, 0), kind: 1, body: {} }))
    await store(4, entities)
    expect(await foundBy(4, {})).toEqual(entities.slice(0, 100))
    expect(await foundBy(4, { limit: 10_000 })).toEqual(entities)
  })

  it('counts from the epoch of the datastore', async () => {
    await using other = new Datastore({ connections, epochMs: 1_000 })
    await store(4, [{ id: idAt(4, 5_000, 0), kind: 1, body: {} }])
    const [entity] = await other.find(4, { createdAfter: new Date(6_000), createdBefore: new Date(6_001) })
    expect(entity?.key.created).toEqual(new Date(6_000))
    expect(await other.find(4, { createdAfter: new Date(6_001) })).toEqual([])
    expect(await other.find(4, { createdBefore: new Date(6_000) })).toEqual([])
    expect(await other.find(4, { createdBefore: new Date(-1) })).toEqual([])
  })

  it('tells when an entity was changed, and copes with a table that cannot say so', async () => {
    await using fresh = await createDatabases(1)
    const [connection] = fresh.connections
    const admin = new Client(connection)
    await admin.connect()
    await createOriginalShards(admin, { first: 1, last: 1, withUpdated: true })
    await createOriginalShards(admin, { first: 2, last: 2, withUpdated: false })
    await admin.query(`insert into shard0001.entities values (1024, 1, 'a=>b', '2014-11-15 14:11:06.450')`)
    await admin.query(`insert into shard0002.entities values (2048, 1, 'a=>b')`)
    await admin.end()
    await using original = new Datastore({ connections: [{ ...connection, shards: '1-3' }] })
    const where = { equals: { a: 'b' } }
    expect(await original.find(1, { where })).toMatchObject([{ updated: new Date('2014-11-15T14:11:06.450Z') }])
    expect(await original.find(2, { where })).toMatchObject([{ updated: null }])
  })

  it('runs side by side with others, more than there are connections', async () => {
    await using small = new Datastore({ connections, poolMax: 2 })
    await store(1, [{ id: idAt(1, 1, 0), kind: 1, body: { a: '1' } }])
    const finds = Array.from({ length: 200 }, (_, n) => small.find(1, { where: { equals: { a: String(n % 2) } } }))
    const keys = await Promise.all(Array.from({ length: 20 }, () => small.put(2, 1, {})))
    expect((await Promise.all(finds)).map(({ length }) => length)).toEqual(finds.map((_, n) => n % 2))
    expect(keys).toHaveLength(20)
  })

  it('is done by a session as well, for a transaction', async () => {
    const settings = { ...channelSettings, epochMs: DEFAULT_EPOCH_MS, poolMax: 1, waitTimeoutMs: 10_000, batch: true }
    const clientConfig = databases.connections[1]!
    await using pool = new ServerPool({ serverId: 's2', clientConfig, max: 1, blockTimeoutMs: 10_000 })
    const site = new ServerSite({ serverId: 's2', shardIds: [7], clientConfig }, pool, settings)
    const entities = [-1, 0, 1].map((day) => ({ id: idAt(7, 2 ** 40 + day, 0), kind: day, body: { a: String(day) } }))
    await store(7, entities)
    const request = { pool, shardId: 7, log: new StatementLog(undefined), statementTimeoutMs: 10_000 }
    await withShardSession(request, (session) =>
      session.transaction(async () => {
        const bound = new SessionEntities(session, site, settings)
        expect((await bound.find()).map(({ kind }) => kind)).toEqual([-1, 0, 1])
        expect(await bound.find({ where: { equals: { a: '0' } } })).toMatchObject([{ kind: 0 }])
        await expect(bound.find({ after: new Key(0n) })).rejects.toThrow('after must be a key of shard 7')
      }),
    )
  })

  it('survives the loss of its connection once', async () => {
    await using lonely = new Datastore({ connections: [{ ...connections[0]!, application_name: 'hv_lonely_find' }] })
    await lonely.find(1)
    const admin = adminOf(1)
    const lock = new Client(databases.connections[0])
    await lock.connect()
    await lock.query('begin; lock table shard0001.entities')
    const found = lonely.find(1)
    const waiting = `from pg_stat_activity where application_name = 'hv_lonely_find' and wait_event_type = 'Lock'`
    await until('the find waits', async () => (await admin.query(`select ${waiting}`)).rowCount === 1)
    await admin.query(`select pg_terminate_backend(pid) ${waiting}`)
    await lock.query('rollback')
    await lock.end()
    expect(await found).toHaveLength(1)
  })

  it('does not make a get wait', async () => {
    await using busy = new Datastore({ connections })
    const key = await busy.put(2, 1, { a: 'b' })
    const lock = new Client(databases.connections[0])
    await lock.connect()
    await lock.query('begin; lock table shard0001.entities')
    const finds = Array.from({ length: 6 }, () => busy.find(1))
    const finished = Promise.all(finds)
    expect(await busy.get(key)).toMatchObject({ body: { a: 'b' } })
    await lock.query('rollback')
    await lock.end()
    expect(await finished).toHaveLength(6)
  })

  it('rejects with the reason of its signal, and nobody else is touched', async () => {
    const lock = new Client(databases.connections[0])
    await lock.connect()
    await lock.query('begin; lock table shard0001.entities')
    const controller = new AbortController()
    const aborted = db.find(1, {}, { signal: controller.signal })
    const other = db.find(1)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    await lock.query('rollback')
    await lock.end()
    expect(await other).toHaveLength(1)
    await expect(db.find(1, {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('that gets no connection in time says so, and the next one is served', async () => {
    await using tight = new Datastore({ connections, poolMax: 1, poolBlockTimeoutMs: 100 })
    const held = await tight.getConnection(1)
    await expect(Promise.all([tight.find(1), tight.find(2)])).rejects.toMatchObject({ code: 'HV_POOL_TIMEOUT' })
    held.release()
    expect(await tight.find(1)).toHaveLength(1)
  })

  it('that waits on is served when one before it has waited too long', async () => {
    await using tight = new Datastore({ connections, poolMax: 1, poolBlockTimeoutMs: 3_000 })
    const held = await tight.getConnection(1)
    const startedAt = performance.now()
    const first = tight.find(1).then(String, (error: unknown) => error)
    await until('half of its time has passed', () => performance.now() - startedAt > 1_500)
    const second = tight.find(1)
    expect(await first).toMatchObject({ code: 'HV_POOL_TIMEOUT' })
    held.release()
    expect(await second).toHaveLength(1)
  })

  it('after disconnect() gets HV_CLOSED, and after reinstantiate() works', async () => {
    await using closed = new Datastore({ connections })
    await closed.find(1)
    await closed.disconnect()
    await expect(closed.find(1)).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await closed.reinstantiate()
    expect(await closed.find(1)).toHaveLength(1)
  })

  it('of a shard that is nowhere, or not made, has a code', async () => {
    await expect(db.find(77)).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    await using wide = new Datastore({ connections: [{ ...connections[0]!, shards: '1-50' }] })
    await expect(wide.find(40, { where: { has: 'a' } })).rejects.toMatchObject({ code: 'HV_SHARD_MISSING' })
  })

  it('without the extension says so', async () => {
    await using empty = await createDatabases(1)
    await using bare = new Datastore({ connections: [{ ...empty.connections[0], shards: '1-2' }] })
    await expect(bare.find(1, { where: { has: 'a' } })).rejects.toMatchObject({ code: 'HV_EXTENSION_MISSING' })
  })
})

describe('a query', () => {
  const secret = 'hunter2'
  it.each<[unknown, typeof TypeError | typeof RangeError, string]>([
    [null, TypeError, 'a query must be an object of kind, '],
    [{ knd: 1 }, TypeError, 'unknown part knd of a query: it takes kind,'],
    [{ kind: 40_000 }, RangeError, 'kind must be an integer'],
    [{ limit: 0 }, RangeError, 'limit must be an integer from 1 to 10000, got 0'],
    [{ limit: 10_001 }, RangeError, 'limit must be'],
    [{ limit: '5' }, TypeError, 'limit must be a number, got string'],
    [{ order: 'up' }, RangeError, "order must be 'asc' or 'desc', got 'up'"],
    [{ after: '5' }, TypeError, 'after must be a Key, got string'],
    [{ after: new Key(0n) }, RangeError, 'after must be a key of shard 1, got one of shard 0'],
    [{ createdAfter: '2020' }, TypeError, 'createdAfter must be a Date, got string'],
    [{ createdBefore: new Date(NaN) }, RangeError, 'createdBefore must be a time, got an invalid Date'],
    [
      { createdAfter: new Date('2020'), createdBefore: new Date('2019') },
      RangeError,
      'createdBefore must not be earlier than createdAfter, got 2019-01-01T00:00:00.000Z and 2020-01-01T00:00:00.000Z',
    ],
    [{ where: [] }, TypeError, 'where must be an object of '],
    [{ where: { like: 'x' } }, TypeError, 'unknown part like of where'],
    [{ where: { equals: 'x' } }, TypeError, 'where.equals: body must be a plain object'],
    [{ where: { equals: { a: null } } }, TypeError, 'where.equals: body.a must be a string, got null'],
    [{ where: { equals: { a: 5 } } }, TypeError, 'where.equals: body.a must be a string or null, got number'],
    [{ where: { equals: { a: `${secret}\0` } } }, RangeError, 'where.equals: body.a must not contain NUL'],
    [{ where: { has: 5 } }, TypeError, 'where.has must be a string, got number'],
    [{ where: { has: 'a\0' } }, RangeError, 'where.has: the key'],
    [{ where: { hasAny: 'a' } }, TypeError, 'where.hasAny must be an array of keys, got string'],
    [{ where: { hasAll: ['a', 5] } }, TypeError, 'where.hasAll[1] must be a string, got number'],
    [{ where: { contains: { a: 5 } } }, TypeError, 'where.contains: body.a must be a string or null'],
  ])('%j is refused before anything is sent', async (query, type, message) => {
    const error = await db.find(1, query as FindQuery).then(String, (thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(type)
    expect((error as Error).message).toContain(message)
    expect((error as Error).message).not.toContain(secret)
  })
})
