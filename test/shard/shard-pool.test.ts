import fc from 'fast-check'
import { Client, types, type PoolClient } from 'pg'
import Cursor from 'pg-cursor'
import { from as copyFrom } from 'pg-copy-streams'
import { transformWithEsbuild } from 'vite'
import { readFile } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, sql, type ConnectionEntry, type DatastoreOptions, type Logger } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

/** Shards 1 to 4, each with a table `photos` that holds its own number; shard 9 is promised and not there. */
let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-10' }]
  await onServer((admin) => admin.query('create schema "odd schema"; create extension hstore schema "odd schema"'))
  await provision([{ ...databases.connections[0], shards: '1-5' }])
  await onServer(async (admin) => {
    await admin.query('create table public.photos (id int, shard int); insert into photos values (0, 0)')
    for (const shardId of [1, 2, 3, 4]) {
      await admin.query(`
        create table shard000${shardId}.photos (id int primary key, shard int, parent int
          references shard000${shardId}.photos deferrable initially deferred);
        insert into shard000${shardId}.photos values (1, ${shardId})`)
    }
  })
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

const shardOf = 'select shard from photos where id = 1'

/** What a connection that was used before says to somebody who borrows it. */
const leftovers = (db: Datastore): Promise<object[]> =>
  db.cursor(1, async (client) => [
    ...(await client.query('show search_path')).rows,
    ...(await client.query('select shard from photos')).rows,
    { status: client.getTransactionStatus() },
  ])
const clean = [{ search_path: '"$user", public' }, { shard: 0 }, { status: 'I' }]

describe('names without a schema mean those of the shard', () => {
  it('in statements with and without values, on the same connection, and leave nothing behind', async () => {
    await using db = open({ poolMax: 1 })
    for (const shardId of [1, 2, 3, 2]) {
      const { pool } = db.shard(shardId)
      expect((await pool.query(shardOf)).rows).toEqual([{ shard: shardId }])
      expect((await pool.query('select shard from photos where id = $1', [1])).rows).toEqual([{ shard: shardId }])
      expect((await pool.query({ text: shardOf, name: 'same', rowMode: 'array' })).rows).toEqual([[shardId]])
    }
    expect(await leftovers(db)).toEqual(clean)
    expect(db.stats()[0]).toMatchObject({ created: 1, destroyed: 0 })
  })

  it('in transactions that are begun by a text, of whatever kind', async () => {
    await using db = open({ poolMax: 1 })
    const client = await db.shard(2).pool.connect()
    for (const begin of ['begin', 'start transaction isolation level serializable, read only', '/* x */ BEGIN;']) {
      await client.query(begin)
      expect((await client.query(shardOf)).rows).toEqual([{ shard: 2 }])
      await client.query('savepoint a')
      await expect(client.query('select 1/0')).rejects.toMatchObject({ code: '22012' })
      await client.query('rollback to a')
      expect((await client.query('select shard from photos where id = $1', [1])).rows).toEqual([{ shard: 2 }])
      await client.query('commit')
      expect((await client.query(shardOf)).rows).toEqual([{ shard: 2 }])
    }
    await client.query('begin')
    await client.query('set transaction isolation level repeatable read')
    expect((await client.query('show transaction_isolation')).rows).toEqual([
      { transaction_isolation: 'repeatable read' },
    ])
    await client.query('rollback')
    client.release()
    expect(await leftovers(db)).toEqual(clean)
    expect(db.stats()[0]).toMatchObject({ created: 1, destroyed: 0 })
  })

  it('in a text of several statements, which is one transaction', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    const results: unknown = await pool.query(
      'create table two (n int); insert into two values (1), (2); select n from two',
    )
    expect((results as { command: string; rowCount: number }[]).map(({ command }) => command)).toEqual([
      'CREATE',
      'INSERT',
      'SELECT',
    ])
    await expect(pool.query('insert into two values (3); select 1/0')).rejects.toMatchObject({ code: '22012' })
    expect((await pool.query('select * from shard0001.two')).rowCount).toBe(2)
  })

  it('through a cursor, inside and outside of a transaction', async () => {
    await using db = open({ poolMax: 1 })
    const client = await db.shard(3).pool.connect()
    for (const begin of ['', 'begin']) {
      await client.query(begin)
      const cursor = client.query(new Cursor('select shard, n from photos, generate_series(1, $1) as n', [5]))
      expect(await cursor.read(2)).toEqual([
        { shard: 3, n: 1 },
        { shard: 3, n: 2 },
      ])
      await cursor.close()
    }
    await client.query('commit')
    const failing = client.query(new Cursor('select * from nowhere'))
    await expect(failing.read(1)).rejects.toMatchObject({ code: '42P01' })
    client.release()
    expect(await leftovers(db)).toEqual(clean)
  })

  it('before temporary tables that somebody left, and with the operators of hstore wherever it is', async () => {
    await using db = open({ poolMax: 1 })
    await db.shard(1).pool.query('create temporary table photos as select 99 as shard, 1 as id')
    expect((await db.shard(1).pool.query(shardOf)).rows).toEqual([{ shard: 1 }])
    await db.put(1, 1, { a: '1' })
    const { rows } = await db.shard(1).pool.query(`select body -> 'a' as a from entities`)
    expect(rows).toEqual([{ a: '1' }])
  })

  it('for what is asked for in a row without waiting', async () => {
    await using db = open({ poolMax: 1 })
    const client = await db.shard(4).pool.connect()
    const results = await Promise.all([
      client.query('begin'),
      client.query('insert into photos values ($1, 4)', [50]),
      client.query('commit'),
      client.query('select count(*)::int as n from photos where id = $1', [50]),
      client.query('delete from photos where id = 50'),
    ])
    client.release()
    expect(results.map(({ command }) => command)).toEqual(['BEGIN', 'INSERT', 'COMMIT', 'SELECT', 'DELETE'])
    expect(results[3]?.rows).toEqual([{ n: 1 }])
  })

  it('also when the entry of the server asks pg to pipeline', async () => {
    await using db = new Datastore({ connections: [{ ...connections[0], pipeline: true } as never], poolMax: 1 })
    const client = await db.shard(4).pool.connect()
    const [, , , after] = await Promise.all([
      client.query('begin'),
      client.query('select 1'),
      client.query('commit'),
      client.query(shardOf),
    ])
    client.release()
    expect(after.rows).toEqual([{ shard: 4 }])
  })

  it('and nothing else when the shard is not there: public is not read in its place', async () => {
    await using db = open({ poolMax: 1 })
    const { pool } = db.shard(9)
    const missing = { code: 'HV_SHARD_MISSING', details: { shardId: 9, serverId: 's1' } }
    await expect(pool.query(shardOf)).rejects.toMatchObject(missing)
    await expect(pool.query('select shard from photos where id = $1', [0])).rejects.toMatchObject(missing)
    await expect(pool.query('create table lost (n int)')).rejects.toMatchObject(missing)
    await expect(db.shard(9).transaction((tx) => tx.query('create table lost (n int)'))).rejects.toMatchObject(missing)
    const client = await pool.connect()
    await expect(client.query('begin')).rejects.toMatchObject(missing)
    client.release()
    expect(await leftovers(db)).toEqual(clean)
  })
})

describe('a pool of a shard', () => {
  it('answers as pg does: with callbacks, with errors of the server and where they are', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    const rows = await new Promise((resolve) =>
      pool.query('select $1::int as n', [1], (_error, result) => resolve(result.rows)),
    )
    expect(rows).toEqual([{ n: 1 }])
    const error = await new Promise((resolve) => pool.query('selec 1', (failure) => resolve(failure)))
    expect(error).toMatchObject({ code: '42601', position: '1' })
    await expect(pool.query('select $1::int, nope', [1])).rejects.toMatchObject({ code: '42703', position: '17' })
    const done = await new Promise<() => void>((resolve) => pool.connect((_error, client, release) => resolve(release)))
    expect([pool.totalCount - pool.idleCount, pool.waitingCount, pool.options.max]).toEqual([1, 0, 10])
    done()
    await new Promise<void>((resolve) => pool.end(resolve))
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })

  it('reports what is checked at the commit', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    const orphan = 'insert into photos values ($1, 1, 77)'
    await expect(pool.query(orphan, [60])).rejects.toMatchObject({ code: '23503' })
    const client = await pool.connect()
    await client.query('begin')
    await client.query(orphan, [60])
    await expect(client.query('commit')).rejects.toMatchObject({ code: '23503' })
    client.release()
    expect((await pool.query('select from photos where id = 60')).rowCount).toBe(0)
  })

  it('closes a connection that comes back inside a transaction', async () => {
    await using db = open({ poolMax: 1 })
    const { pool } = db.shard(1)
    const client = await pool.connect()
    await client.query('begin')
    await client.query('delete from photos')
    client.release()
    expect(db.stats()[0]).toMatchObject({ lent: 0, idle: 0 })
    await pool.query('set search_path to shard0002')
    expect(await leftovers(db)).toEqual(clean)
    expect((await pool.query(shardOf)).rows).toEqual([{ shard: 1 }])
    await until('it is closed', () => db.stats()[0]?.destroyed === 1)
  })

  it('refuses what it could not run in the schema of the shard, and says how to', async () => {
    await using db = open({ poolMax: 1 })
    const { pool } = db.shard(1)
    const refused = { code: 'HV_STATEMENT_REFUSED', details: { shardId: 1 } }
    for (const text of [
      'vacuum photos',
      'create index concurrently on photos (shard)',
      'begin; commit; delete from photos',
      'begin; delete from photos; rollback and chain',
    ]) {
      await expect(pool.query(text)).rejects.toMatchObject(refused)
    }
    await expect(pool.query('vacuum photos')).rejects.toMatchObject({ cause: { code: '25001' } })
    const client = await pool.connect()
    const stream = client.query(copyFrom('copy photos from stdin'))
    await expect(finished(stream)).rejects.toMatchObject(refused)
    await client.query('begin')
    const second = client.query(copyFrom('copy photos (id, shard) from stdin'))
    second.end('70\t1\n71\t1\n')
    await finished(second)
    await client.query('commit')
    client.release()
    expect((await pool.query('delete from photos where id in (70, 71)')).rowCount).toBe(2)
    expect(db.stats()[0]).toMatchObject({ created: 1, destroyed: 0 })
    await db.cursor(1, (raw) => raw.query('vacuum shard0001.photos'))
  })

  it('refuses bad arguments before anything is sent', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    await expect(pool.query(undefined as never)).rejects.toThrow(
      'query takes a string or { text, values }, got undefined',
    )
    await expect(pool.query({ name: 'x' } as never)).rejects.toThrow('the text of a query must be a string')
    await expect(pool.query('select 1', 5 as never)).rejects.toThrow('values must be an array, got number')
    await expect(pool.query(new Cursor('select 1')) as unknown as Promise<unknown>).rejects.toThrow('connect() first')
    expect(() => db.shard(8192)).toThrow(RangeError)
    expect(() => db.shard('1' as never)).toThrow(TypeError)
    expect(() => db.shard(1, { int8: 'number' as never })).toThrow('int8 must be text or bigint')
    expect(() => db.shard(1, { bigint: true } as never)).toThrow('unknown option bigint: a shard takes int8')
    await expect(db.shard(99).query('select 1')).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    expect(db.stats()[0]).toMatchObject({ created: 0 })
  })

  it('shares the connections of its server: 200 shards, 10 connections', async () => {
    await using wide = await createDatabases(1)
    const entry = { ...wide.connections[0], shards: '1-201' }
    await provision([entry])
    await using db = new Datastore({ connections: [entry], poolMax: 10, poolBlockTimeoutMs: 30_000 })
    const shards = db.topology.shardIds.map((shardId) => db.shard(shardId))
    await Promise.all(shards.map(({ pool }) => pool.query('create table own (shard int)')))
    await Promise.all(
      shards.map(async ({ shardId, pool }) => {
        const client = await pool.connect()
        await client.query('begin')
        await client.query('insert into own values ($1)', [shardId])
        await client.query('commit')
        client.release()
      }),
    )
    const found = await Promise.all(shards.map(async ({ pool }) => (await pool.query('select shard from own')).rows))
    expect(found).toEqual(shards.map(({ shardId }) => [{ shard: shardId }]))
    expect(db.stats()[0]?.created).toBeLessThanOrEqual(10)
    expect(db.stats()[0]).toMatchObject({ lent: 0, destroyed: 0 })
  })

  it('waits for a connection no longer than it may, and not beyond a signal', async () => {
    await using db = open({ poolMax: 1, poolBlockTimeoutMs: 1_000 })
    const held = await db.shard(1).pool.connect()
    const late = await Promise.allSettled([db.shard(2).pool.query('select 1'), db.shard(2).pool.connect()])
    const timeout = { reason: { code: 'HV_POOL_TIMEOUT' } }
    expect(late).toMatchObject([timeout, timeout])
    const reason = new Error('enough')
    const waiting = db.shard(2).query('select 1', [], { signal: AbortSignal.abort(reason) })
    await expect(waiting).rejects.toBe(reason)
    held.release()
    expect(() => held.release()).toThrow(expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }))
    await expect(held.query('select 1')).rejects.toMatchObject({ code: 'HV_CONNECTION_RETURNED' })
  })

  it('goes on after reinstantiate, and is refused after disconnect', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    await db.disconnect()
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await db.reinstantiate()
    expect((await pool.query(shardOf)).rows).toEqual([{ shard: 1 }])
  })

  it('is told by Drizzle to be a pool also when a minifier has shortened the name of its class', async () => {
    const source = await readFile(new URL('../../src/shard/query/shard-pool.ts', import.meta.url), 'utf8')
    const inFunction = source.replace('export class', 'export const make = () => class')
    const { code } = await transformWithEsbuild(inFunction, 'shard-pool.ts', { minify: true, target: 'es2022' })
    expect(code).not.toMatch(/class ShardPool/)
    expect(code).toMatch(/static name="ShardPool"/)
    await using db = open()
    expect((Object.getPrototypeOf(db.shard(1).pool) as object).constructor.name).toBe('ShardPool')
  })

  it('logs what the caller wrote, without values', async () => {
    const lines: unknown[] = []
    const logger: Logger = { debug: (fields) => lines.push(fields), warn: () => undefined }
    await using db = open({ logger })
    await db.shard(2).pool.query(`select 'secret', shard from photos where id = $1`, [1])
    expect(lines.at(-1)).toMatchObject({ sql: 'select ?, shard from photos where id = $1', shardId: 2, rows: 1 })
  })
})

describe('a bigint', () => {
  it('comes as a bigint where that is asked for, and the parsers of pg stay as they are', async () => {
    await using db = open({ poolMax: 1 })
    const query = `select 9007199254740993 as n, array[1::int8, null] as many, 5 as small`
    const asBigint = db.shard(1, { int8: 'bigint' })
    const big = [{ n: 9007199254740993n, many: [1n, null], small: 5 }]
    const text = [{ n: '9007199254740993', many: ['1', null], small: 5 }]
    expect((await asBigint.query(query)).rows).toEqual(big)
    const client = await asBigint.pool.connect()
    const cursor = client.query(new Cursor(query))
    expect(await cursor.read(1)).toEqual(big)
    await cursor.close()
    client.release()
    expect((await db.shard(1).query(query)).rows).toEqual(text)
    expect(await db.cursor(1, async (raw) => (await raw.query(query)).rows)).toEqual(text)
    expect(types.getTypeParser(20)('1')).toBe('1')
  })
})

describe('sql of a shard', () => {
  it('runs its statement when it is awaited, once', async () => {
    await using db = open()
    const { sql: tag, schema } = db.shard(1)
    const insert = tag<{ id: number }>`insert into ${tag.id('photos')} values (${80}, ${1}) returning id`
    expect((await insert).rows).toEqual([{ id: 80 }])
    expect((await insert).rowCount).toBe(1)
    const ids = sql.join([80, 81])
    const { rows } = await tag`delete from ${sql.id(schema, 'photos')} where id in (${ids}) returning id`
    expect(rows).toEqual([{ id: 80 }])
    await expect(Promise.resolve(tag`select 1/0`)).rejects.toMatchObject({ code: '22012' })
    const found = await db.shard(1).transaction((tx) => tx.query(sql`select shard from photos where id = ${1}`))
    expect(found.rows).toEqual([{ shard: 1 }])
  })

  it('finds a key by itself, and a name by any name', async () => {
    await using db = open()
    const shard = db.shard(2)
    const key = await db.put(2, 1, {})
    expect((await shard.sql`select id from entities where id = ${key}`).rows).toEqual([{ id: String(key) }])
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((each) => {
      const bytes = Buffer.byteLength(each)
      return bytes < 64 && !each.includes('\0') && each.isWellFormed()
    })
    await fc.assert(
      fc.asyncProperty(name, name, async (column, value) => {
        const { rows } = await shard.sql`select ${value}::text as ${sql.id(column)}`
        expect(Object.entries(rows[0] as object)).toEqual([[column, value]])
      }),
      { numRuns: 50 },
    )
  })
})

describe('a connection that ends', () => {
  it('in the commit of a client is HV_COMMIT_UNKNOWN, and before it HV_CONNECTION_LOST', async () => {
    const [server] = databases.connections
    await using proxy = await startCuttingProxy(server!)
    await using db = new Datastore({ connections: [{ ...server, port: proxy.port, shards: '1-5' }] })
    for (const [text, code] of [
      ['select 42', 'HV_CONNECTION_LOST'],
      ['commit', 'HV_COMMIT_UNKNOWN'],
    ] as const) {
      const client = await db.shard(1).pool.connect()
      await client.query('begin')
      proxy.cutAnswerTo(text)
      await expect(client.query(text)).rejects.toMatchObject({ code, details: { shardId: 1, serverId: 's1' } })
      client.release()
    }
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })

  it('is given back by a client whose begin it fails, which nobody might release', async () => {
    const [server] = databases.connections
    await using proxy = await startCuttingProxy(server!)
    await using db = new Datastore({ connections: [{ ...server, port: proxy.port, shards: '1-5' }], poolMax: 1 })
    const client: PoolClient = await db.shard(1).pool.connect()
    proxy.cutAnswerTo('begin')
    await expect(client.query('begin')).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST' })
    await until('the place is free', () => db.stats()[0]?.lent === 0)
    expect((await client.query(shardOf)).rows).toEqual([{ shard: 1 }])
    client.release()
  })

  it('by a signal ends the statement at the server too', async () => {
    await using db = open({ poolMax: 1 })
    const controller = new AbortController()
    const reason = new Error('enough')
    const sleeping = db.shard(1).query('select pg_sleep(60) as nap', [], { signal: controller.signal })
    const isAsleep = (): Promise<boolean> =>
      onServer(async (admin) => {
        const { rowCount } = await admin.query(
          `select from pg_stat_activity where datname = current_database() and query like '%as nap' and state = 'active'
           and pid <> pg_backend_pid()`,
        )
        return rowCount === 1
      })
    await until('it sleeps', isAsleep)
    controller.abort(reason)
    await expect(sleeping).rejects.toBe(reason)
    await until('it is gone', async () => !(await isAsleep()))
    await until('its connection is closed', () => db.stats()[0]?.destroyed === 1)
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })
})
