import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  Datastore,
  type ConnectionEntry,
  type HypervaultError,
  type IndexProgress,
  type IndexReport,
} from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'
import { entriesOf, numbers, rejectionOf, rowsOf, withClient } from './servers.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]
let db: Datastore

/** The second database keeps hstore elsewhere. */
beforeEach(async () => {
  databases = await createDatabases(2)
  await withClient(databases.connections[1], (client) =>
    client.query('create schema "Ext"; create extension hstore schema "Ext"'),
  )
  connections = entriesOf(databases, '1-4', '4-7')
  await provision(connections)
  db = new Datastore({ connections })
})
afterEach(async () => {
  await db.disconnect()
  await databases.drop()
})

/** All shards in which something was done. */
function shardsOf({ servers }: IndexReport, outcome: 'created' | 'repaired' | 'dropped' | 'unchanged'): number[] {
  return servers.flatMap((server) => server[outcome])
}

/** Names of the indexes of a server, by shard, whether valid or not. */
async function indexesOf(server: number): Promise<{ shard: string; name: string; valid: boolean }[]> {
  return rowsOf(
    databases.connections[server],
    `select nspname as shard, c.relname as name, indisvalid as valid
     from pg_index join pg_class c on c.oid = indexrelid join pg_namespace n on n.oid = relnamespace
     where nspname ~ '^shard' and not indisprimary order by 1, 2`,
  )
}

/** Backends that build an index, in one shard or in any. In a shard with a writer the build waits, in others it may be seen too. */
const builds = (shard = ''): string => `from pg_stat_activity
  where query like 'create%index concurrently%${shard}%' and state = 'active' and datname = current_database()`

async function countBuilds(shard?: string): Promise<number> {
  return (await rowsOf(databases.connections[0], `select ${builds(shard)}`)).length
}

/** Holds a transaction open that has written into a shard, for the time of `work`. */
async function whileWriting<T>(shardId: number, work: (pid: number) => Promise<T>): Promise<T> {
  return withClient({ ...databases.connections[0], application_name: 'slow report' }, async (client) => {
    await client.query(`begin; insert into shard000${shardId}.entities (type, body) values (1, '')`)
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const result = await work(rows[0]!.pid)
    await client.query('rollback')
    return result
  })
}

describe('an index', () => {
  const where = { equals: { email: 'a@x' } }

  it.each([2, 5])('on a field serves equals, as explain tells before and after, in shard %d', async (shardId) => {
    await db.putMany(
      shardId,
      1,
      Array.from({ length: 3_000 }, (_, n) => ({ email: `${n}@x`, name: 'n' })),
    )
    expect(await db.explain(shardId, { where })).toMatchObject({
      access: 'sequential',
      indexes: [],
      usable: [],
      isServed: false,
      text: expect.stringContaining('Seq Scan') as string,
    })
    const { name, servers } = await db.createIndex({ on: 'email' })
    expect(name).toMatch(/^hv_index_email_[0-9a-f]{12}$/)
    expect(servers.map(({ created }) => created)).toEqual([numbers(1, 3), numbers(4, 6)])
    expect(await db.explain(shardId, { where })).toMatchObject({ access: 'index', indexes: [name], isServed: true })
    expect(await db.explain(shardId, { where: { has: 'email' } })).toMatchObject({ isServed: false })
  })

  it.each([1, 6])('that could serve is named although the table is small, in shard %d', async (shardId) => {
    const { name } = await db.createIndex({ on: 'body' })
    for (const part of [{ has: 'a' }, { hasAny: ['a'] }, { hasAll: ['a'] }, { contains: { a: null } }]) {
      expect(await db.explain(shardId, { where: part })).toMatchObject({ usable: [name], isServed: true })
    }
    expect(await db.explain(shardId, { where })).toMatchObject({ usable: [], isServed: false })
  })

  it('of a kind serves finds of that kind alone', async () => {
    const { name } = await db.createIndex({ on: 'email', kind: -3 })
    expect(await db.explain(1, { kind: -3, where })).toMatchObject({ usable: [name] })
    expect(await db.explain(1, { kind: 2, where })).toMatchObject({ usable: [], isServed: false })
    expect(await db.explain(1, { where })).toMatchObject({ usable: [], isServed: false })
  })

  it('is not needed for a find without kind and where', async () => {
    expect(await db.explain(1)).toMatchObject({ isServed: true })
    const never = { createdBefore: new Date(0) }
    expect(await db.explain(1, never)).toMatchObject({ access: 'nothing', isServed: true })
  })

  it.each(["it's", 'a\\b', '"', '', '東京 naïve', '$1', 'body', 'x'.repeat(300)])(
    'may be on the field %j',
    async (field) => {
      await db.putMany(4, 1, [{ [field]: '1' }, { [field]: '2' }])
      const { name } = await db.createIndex({ on: { field } })
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      const query = { where: { equals: { [field]: '2' } } }
      expect(await db.find(4, query)).toHaveLength(1)
      expect(await db.explain(4, query)).toMatchObject({ usable: [name] })
    },
  )

  it('with a cast and unique refuses an entity with the same value', async () => {
    await db.createIndex({ on: 'number', cast: 'integer', unique: true, kind: 1 })
    await db.put(1, 1, { number: '7' })
    await expect(db.put(1, 1, { number: '07' })).rejects.toMatchObject({ details: { sqlstate: '23505' } })
    await db.put(2, 1, { number: '7' })
    await db.put(1, 2, { number: '7' })
  })

  it('is left as it is when it is made again', async () => {
    await db.createIndex({ on: 'email' })
    const again = await db.createIndex({ on: 'email' })
    expect(shardsOf(again, 'unchanged')).toEqual(numbers(1, 6))
    expect(shardsOf(again, 'created')).toEqual([])
  })
})

describe('the work on an index', () => {
  it('repairs what a failed one left behind', async () => {
    const { name } = await db.indexes.drop({ on: 'email', unique: true })
    await db.putMany(2, 1, [{ email: 'x' }, { email: 'x' }])
    await withClient(databases.connections[0], async (client) => {
      await expect(
        client.query(`create unique index concurrently ${name} on shard0002.entities ((body -> 'email'))`),
      ).rejects.toMatchObject({ code: '23505' })
      await client.query('delete from shard0002.entities')
    })
    expect(await indexesOf(0)).toEqual([{ shard: 'shard0002', name, valid: false }])
    const [listed] = await db.indexes.list()
    expect(listed).toMatchObject({ name, shards: [], invalid: [2], missing: [1, 3, 4, 5, 6] })
    const report = await db.createIndex({ on: 'email', unique: true })
    expect(shardsOf(report, 'repaired')).toEqual([2])
    expect(shardsOf(report, 'created')).toEqual([1, 3, 4, 5, 6])
    expect((await indexesOf(0)).every(({ valid }) => valid)).toBe(true)
  })

  it('that fails in one shard completes the others, and leaves nothing behind in the one', async () => {
    await db.putMany(2, 1, [{ email: 'hunter2' }, { email: 'hunter2' }])
    const error = (await rejectionOf(
      db.createIndex({ on: 'email', unique: true }),
    )) as HypervaultError<'HV_INDEX_FAILED'>
    expect(error).toMatchObject({
      code: 'HV_INDEX_FAILED',
      message: expect.stringMatching(
        /^index hv_index_email_\w+ failed: s1, shard 2: two entities have the same value$/,
      ) as string,
      details: { failures: [{ serverId: 's1', shardId: 2, sqlstate: '23505' }], completed: [1, 3, 4, 5, 6] },
    })
    expect(JSON.stringify(error.details)).not.toContain('hunter2')
    expect((await indexesOf(0)).map(({ shard }) => shard)).toEqual(['shard0001', 'shard0003'])
  })

  it('tells a value that cannot be cast without showing it', async () => {
    await db.put(5, 1, { number: 'hunter2' })
    const error = (await rejectionOf(db.createIndex({ on: 'number', cast: 'integer' }))) as Error
    expect(error.message).toContain('s2, shard 5: a value cannot be read as the type of the cast')
    expect(error.message).not.toContain('hunter2')
  })

  it('waits for older transactions within its bound, names them, and goes on the next time', async () => {
    await whileWriting(3, async (pid) => {
      const error = await rejectionOf(db.createIndex({ on: 'email' }, { lockTimeoutMs: 300 }))
      expect(error).toMatchObject({ code: 'HV_INDEX_FAILED' })
      const { failures } = (error as HypervaultError<'HV_INDEX_FAILED'>).details
      const [failure] = failures.filter(({ shardId }) => shardId === 3)
      expect(failure).toMatchObject({ serverId: 's1', code: 'HV_SERVER_BUSY' })
      expect(failure?.message).toMatch(
        new RegExp(`longer than 300 ms for pid ${pid} \\(slow report, idle in transaction, for`),
      )
    })
    await db.createIndex({ on: 'email' })
    expect(await db.indexes.list()).toMatchObject([{ shards: numbers(1, 6), invalid: [], missing: [] }])
  })

  it('ends at the server too when it is aborted, and goes on the next time', async () => {
    const reason = new Error('enough')
    await whileWriting(2, async () => {
      const controller = new AbortController()
      const aborted = rejectionOf(
        db.createIndex({ on: 'email' }, { signal: controller.signal, connectionsPerServer: 1 }),
      )
      await until('the index waits', async () => (await countBuilds('shard0002')) === 1)
      controller.abort(reason)
      expect(await aborted).toBe(reason)
      await until('nothing is built any more', async () => (await countBuilds()) === 0)
    })
    const report = await db.createIndex({ on: 'email' })
    expect(shardsOf(report, 'unchanged')).toContain(1)
    expect([...shardsOf(report, 'created'), ...shardsOf(report, 'repaired')]).toEqual(expect.arrayContaining([2, 3]))
    expect(await db.indexes.list()).toMatchObject([{ shards: numbers(1, 6) }])
  })

  it('that is killed in the middle is done the next time', async () => {
    await whileWriting(2, async () => {
      const killed = rejectionOf(db.createIndex({ on: 'email' }, { connectionsPerServer: 1 }))
      await until('the index waits', async () => (await countBuilds('shard0002')) === 1)
      await rowsOf(databases.connections[0], `select pg_terminate_backend(pid) ${builds('shard0002')}`)
      expect(await killed).toMatchObject({
        code: 'HV_INDEX_FAILED',
        details: { failures: [{ shardId: 2, code: 'HV_CONNECTION_LOST' }], completed: [1, 3, 4, 5, 6] },
      })
    })
    expect(await indexesOf(0)).toContainEqual(expect.objectContaining({ shard: 'shard0002', valid: false }))
    expect(shardsOf(await db.createIndex({ on: 'email' }), 'repaired')).toEqual([2])
  })

  it('is shared by two runs at once', async () => {
    const reports = await Promise.all([
      db.createIndex({ on: 'email' }),
      db.createIndex({ on: 'email' }, { connectionsPerServer: 3 }),
    ])
    const created = reports.flatMap((report) => shardsOf(report, 'created'))
    expect(created.sort((a, b) => a - b)).toEqual(numbers(1, 6))
    expect(await db.indexes.list()).toMatchObject([{ shards: numbers(1, 6), invalid: [] }])
  })

  it('does not wait for another server that is down, which fails as a whole', async () => {
    await using half = new Datastore({
      connections: [connections[0]!, { shards: '4-900', host: '127.0.0.1', port: 1, password: 'hunter2' }],
    })
    const error = await rejectionOf(half.createIndex({ on: 'email' }))
    expect(error).toMatchObject({
      code: 'HV_INDEX_FAILED',
      details: { failures: [{ serverId: 's2', code: 'HV_CONNECT_FAILED' }], completed: [1, 2, 3] },
    })
    expect(String(error)).not.toContain('hunter2')
  })

  it('names a shard that is not there', async () => {
    await using wide = new Datastore({ connections: [{ ...connections[0]!, shards: '1-5' }] })
    expect(await rejectionOf(wide.createIndex({ on: 'email' }))).toMatchObject({
      details: { failures: [{ shardId: 4, code: 'HV_SHARD_MISSING' }], completed: [1, 2, 3] },
    })
  })

  it('tells how far it is', async () => {
    const events: IndexProgress[] = []
    await db.createIndex({ on: 'email' }, { onProgress: (event) => events.push(event) })
    for (const serverId of ['s1', 's2']) {
      const own = events.filter((event) => event.serverId === serverId)
      expect(own.map(({ done }) => done)).toEqual([0, 1, 2, 3])
      expect(own.every(({ total }) => total === 3)).toBe(true)
    }
  })
})

describe('indexes', () => {
  it('are not touched with options that are none', async () => {
    const wrong = { lockTimeoutMs: 0 }
    await expect(db.createIndex({ on: 'a' }, wrong)).rejects.toThrow('lockTimeoutMs must be an integer from 1')
    await expect(db.createIndex({ on: 'a' }, { lock: 1 } as never)).rejects.toThrow('unknown option lock')
    await expect(db.indexes.drop('')).rejects.toThrow('must have 1 to 63 bytes')
  })

  it('are listed with what they are on, the same on all servers, also those that others made', async () => {
    const { name } = await db.createIndex({ on: 'email', kind: 1, unique: true })
    await withClient(databases.connections[0], (client) =>
      client.query(`create index by_user on shard0002.entities (((body -> 'user_id')::bigint)) where type = 2`),
    )
    expect(await db.indexes.list()).toEqual([
      {
        name: 'by_user',
        definition: `btree ((((body -> 'user_id'::text))::bigint)) WHERE (type = 2)`,
        isUnique: false,
        bytes: 8192,
        shards: [2],
        invalid: [],
        missing: [1, 3, 4, 5, 6],
      },
      {
        name,
        definition: `btree (((body -> 'email'::text))) WHERE (type = 1)`,
        isUnique: true,
        bytes: 6 * 8192,
        shards: numbers(1, 6),
        invalid: [],
        missing: [],
      },
    ])
  })

  it('are dropped by definition or by name, and dropping again changes nothing', async () => {
    const { name } = await db.createIndex({ on: 'email' })
    await db.createIndex({ on: 'body' })
    expect(shardsOf(await db.indexes.drop({ on: 'email' }), 'dropped')).toEqual(numbers(1, 6))
    expect(shardsOf(await db.indexes.drop(name), 'unchanged')).toEqual(numbers(1, 6))
    const [left] = await db.indexes.list()
    expect(shardsOf(await db.indexes.drop(left!.name), 'dropped')).toEqual(numbers(1, 6))
    expect(await db.indexes.list()).toEqual([])
  })

  it('that keep a promise of the shard are not dropped', async () => {
    expect(await rejectionOf(db.indexes.drop('entities_pk'))).toMatchObject({
      code: 'HV_INDEX_FAILED',
      message: expect.stringContaining('belongs to a constraint') as string,
    })
    expect(await rejectionOf(db.indexes.drop('table_id_seq'))).toMatchObject({
      message: expect.stringContaining('is already the name of another object') as string,
    })
    const client = new Client(databases.connections[0])
    await client.connect()
    expect((await client.query(`select from pg_class where relname = 'entities_pk'`)).rowCount).toBe(3)
    await client.end()
  })
})
