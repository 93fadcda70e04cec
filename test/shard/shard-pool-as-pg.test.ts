import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import pg, { Client, Pool, Query, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Datastore, type DatastoreOptions } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { findFutility } from '../../src/shard/query/lasting.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { startSilentServer } from '../support/silent-server.ts'

/* What tools find at a shard's pool that they find at one of pg. */

let databases: TestDatabases

beforeAll(async () => {
  databases = await createDatabases(1)
  await provision([{ ...databases.connections[0]!, shards: '1-4' }])
  await using db = open()
  for (const shardId of [1, 2]) {
    await db.shard(shardId).query(`create table photos (shard int); insert into photos values (${shardId})`)
  }
})
afterAll(() => databases.drop())

function open(options: Partial<DatastoreOptions> = {}, more: object = {}): Datastore {
  return new Datastore({
    connections: [{ ...databases.connections[0], shards: '1-4', ...more }],
    poolMax: 2,
    ...options,
  })
}

const shardOf = 'select shard from photos'

/** With what the types of pg do not know. */
function run(on: object, statement: unknown): Promise<{ rows: unknown[] }> {
  return (on as { query(statement: unknown): Promise<{ rows: unknown[] }> }).query(statement)
}

/** A second copy of a package, as a tool with dependencies of its own has it. */
function loadAgain(name: string): unknown {
  const require = createRequire(import.meta.url)
  const first = { ...require.cache }
  for (const path of Object.keys(first)) delete require.cache[path]
  try {
    return require(name)
  } finally {
    Object.assign(require.cache, first)
  }
}

async function ask(client: Client): Promise<unknown> {
  await client.connect()
  try {
    return (await client.query(`${shardOf} limit 1`)).rows[0]
  } finally {
    await client.end()
  }
}

describe('who takes a pg.Pool', () => {
  it('sees one', async () => {
    await using db = open()
    const { pool } = db.shard(2)
    expect(pool).toBeInstanceOf(Pool)
    expect(pool).toBeInstanceOf(pg.Pool)
    expect(pool.constructor.name).toBe('ShardPool')
    expect([pool.ended, pool.ending, pool.expiredCount, pool.totalCount]).toEqual([false, false, 0, 0])
  })

  it.each([
    ['a host and a port', (server: object) => ({ ...server })],
    ['settings of its own', (server: object) => ({ ...server, options: '-c work_mem=2MB' })],
    [
      'a connection string',
      ({ user, password, host, port, database }: Record<string, string>) => ({
        connectionString: `postgres://${user}:${password}@${host}:${port}/${database}?options=-c%20work_mem%3D2MB`,
      }),
    ],
  ])('and connects by its options gets the shard, from %s', async (_, describeServer) => {
    const { host, port, user, password, database } = databases.connections[0]!
    const entry = describeServer({ host, port, user, password, database } as never)
    await using db = new Datastore({ connections: [{ ...entry, shards: '1-4' }] })
    const { pool } = db.shard(2)
    expect(pool.options).toMatchObject({ host, port, database, max: 10 })
    expect(await ask(new Client(pool.options))).toEqual({ shard: 2 })
    const { Client: ShardClient } = pool as unknown as { Client: new (config?: unknown) => Client }
    for (const config of [undefined, {}, pool.options, { host: 'nowhere.invalid' }, 'postgres://nowhere.invalid/x']) {
      expect(await ask(new ShardClient(config))).toEqual({ shard: 2 })
    }
  })

  it('and is of another copy of pg gets the shard, with the pool as it is, or a part of it', async () => {
    const other = loadAgain('pg') as typeof pg
    await using db = open()
    const { pool } = db.shard(2)
    expect(pool).not.toBeInstanceOf(other.Pool)
    for (const config of [pool, Object.assign({}, pool, { max: 1, database: 'postgres' }), pool.options]) {
      const others = new other.Pool(config as object)
      expect((await others.query(`${shardOf} limit 1`)).rows).toEqual([{ shard: 2 }])
      await others.end()
    }
    expect(await ask(new other.Client(pool.options as object))).toEqual({ shard: 2 })
    for (const config of [pool, Object.assign({}, pool)]) {
      await expect(new other.Client(config as object).connect()).rejects.toThrow('use-pool.options.invalid')
    }
  })

  it('finds no password in what is printed, written as JSON or copied', async () => {
    await using db = open({}, { password: databases.connections[0]!.password })
    const { pool } = db.shard(1)
    const { password } = databases.connections[0]!
    expect((pool.options as { password?: unknown }).password).toBe(password)
    const seen = [pool, pool.options, { ...pool.options }, await pool.connect()].flatMap((each) => [
      inspect(each, { depth: 9, showHidden: false }),
      JSON.stringify(each, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    ])
    expect(seen.filter((text) => text.includes(password))).toEqual([])
  })

  it('of a shard that is nowhere, or of a closed datastore, is refused', async () => {
    const db = open()
    expect(() => db.shard(99).pool.options).toThrow(expect.objectContaining({ code: 'HV_SHARD_UNKNOWN' }))
    await db.disconnect()
    await expect(db.shard(1).pool.connect()).rejects.toMatchObject({ code: 'HV_CLOSED' })
  })

  it('hears of each client, and what it sets up in `connect` holds', async () => {
    await using db = open({ poolMax: 1 })
    const { pool } = db.shard(1)
    const events: unknown[] = []
    for (const name of ['connect', 'acquire', 'remove'] as const) pool.on(name, (client) => events.push(name, client))
    pool.on('release', (error, client) => events.push('release', error, client))
    pool.on('connect', (client) => void client.query(`set statement_timeout = '77s'`).catch(() => undefined))
    const client = await pool.connect()
    expect(events).toEqual(['connect', client, 'acquire', client])
    const failure = new Error('mine')
    client.release(failure)
    expect(events.splice(0).slice(4)).toEqual(['release', failure, client, 'remove', client])
    expect((await pool.query('show statement_timeout')).rows).toEqual([{ statement_timeout: '77s' }])
    expect(events.filter((each) => typeof each === 'string')).toEqual(['connect', 'acquire', 'release', 'remove'])
    expect(await db.cursor(1, async (raw) => (await raw.query('show statement_timeout')).rows)).not.toEqual([
      { statement_timeout: '77s' },
    ])
  })
})

it('a listener of the pool that throws costs no place', async () => {
  await using db = open({ poolMax: 1 })
  const { pool } = db.shard(1)
  for (const event of ['connect', 'acquire'] as const) {
    pool.once(event, () => {
      throw new Error(`mine: ${event}`)
    })
    await expect(pool.connect()).rejects.toThrow(`mine: ${event}`)
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  }
  expect((await pool.query(shardOf)).rows).toEqual([{ shard: 1 }])
})

it('end waits for what was asked before, and the pool can be used after it', async () => {
  await using db = open()
  const { pool } = db.shard(1)
  let completed = 0
  for (let n = 0; n < 5; n += 1) void pool.query(shardOf).then(() => (completed += 1))
  void pool.query('select 1/0').catch(() => (completed += 1))
  await pool.end()
  expect(completed).toBe(6)
  await new Promise<void>((resolve) => pool.end(resolve))
  expect((await pool.query(shardOf)).rows).toEqual([{ shard: 1 }])
})

describe('what is assigned to a lent client', () => {
  it.each<[string, (db: Datastore) => Promise<PoolClient>]>([
    ['a pool', (db) => db.shard(1).pool.connect()],
    ['getConnection', (db) => db.getConnection(1)],
  ])('belongs to the loan: %s', async (_, borrow) => {
    await using db = open({ poolMax: 1 })
    const client = await borrow(db)
    const { query, release } = client
    const texts: unknown[] = []
    const tagged = client as PoolClient & { tag?: string }
    tagged.tag = 'mine'
    // The recipe of pg's guide.
    client.query = ((...args: unknown[]) => {
      texts.push(args[0])
      return (query as (...given: unknown[]) => unknown).apply(client, args)
    }) as never
    client.release = () => {
      texts.push('released')
      client.query = query
      client.release = release
      release.apply(client)
    }
    await client.query('select 1')
    client.release()
    expect(texts).toEqual(['select 1', 'released'])
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
    const next = await borrow(db)
    expect('tag' in next).toBe(false)
    const spy = vi.spyOn(next, 'query')
    await next.query('select 1')
    expect(spy).toHaveBeenCalledOnce()
    vi.spyOn(next, 'release').mockImplementation(() => undefined)
    next.release()
    vi.restoreAllMocks()
    next.release()
    expect((await db.shard(2).pool.query(shardOf)).rows).toEqual([{ shard: 2 }])
    expect(db.stats()[0]).toMatchObject({ lent: 0, created: 1 })
  })

  it.each<[string, (db: Datastore) => Promise<PoolClient>]>([
    ['a pool', (db) => db.shard(1).pool.connect()],
    ['getConnection', (db) => db.getConnection(1)],
  ])('leaves that of the loan when it is deleted again: %s', async (_, borrow) => {
    await using db = open({ poolMax: 1 })
    const client: Partial<PoolClient> & { tag?: string } = await borrow(db)
    const before = await client.query?.('set work_mem = 1000; select current_schema() as place')
    Object.assign(client, { query: () => undefined })
    client.release = () => undefined
    client.tag = 'mine'
    for (const name of ['query', 'release', 'tag'] as const) delete client[name]
    expect('tag' in client).toBe(false)
    expect(await client.query?.('set work_mem = 1000; select current_schema() as place')).toEqual(before)
    client.release?.()
    expect((await db.shard(2).pool.query(shardOf)).rows).toEqual([{ shard: 2 }])
    expect((await db.shard(2).pool.query('show work_mem')).rows).toEqual([{ work_mem: '4MB' }])
    expect(db.stats()[0]).toMatchObject({ lent: 0, created: 1 })
  })
})

describe('query_timeout', () => {
  const late = { message: 'Query read timeout' }

  it('ends a statement, its wait for a connection, and the statement at the server', async () => {
    await using db = open({ poolMax: 1 }, { query_timeout: 200 })
    const { pool } = db.shard(1)
    await expect(pool.query('select pg_sleep(50)')).rejects.toMatchObject(late)
    await expect(db.shard(1).query('select pg_sleep(50)', [])).rejects.toMatchObject(late)
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    const client = await pool.connect()
    await expect(pool.query('select 1')).rejects.toMatchObject(late)
    await expect(client.query('select pg_sleep(50)')).rejects.toMatchObject(late)
    client.release()
    const sleeping = `select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(50)%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()`
    await vi.waitFor(async () => expect((await pool.query(sleeping)).rows).toEqual([{ n: 0 }]), 10_000)
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })

  it('of a statement comes before that of the server entry', async () => {
    await using db = open({}, { query_timeout: 200 })
    const { pool } = db.shard(1)
    expect((await run(pool, { text: 'select 1 as n from pg_sleep(0.5)', query_timeout: 60_000 })).rows).toEqual([
      { n: 1 },
    ])
    await using other = open()
    await expect(
      other.shard(1).pool.query({ text: 'select pg_sleep(50)', query_timeout: 100 } as never),
    ).rejects.toMatchObject(late)
  })

  it('ends a wait for a server that says nothing', async () => {
    await using server = await startSilentServer()
    await using db = open({ disconnectTimeoutMs: 1 }, { host: '127.0.0.1', port: server.port, query_timeout: 200 })
    await expect(db.shard(1).pool.query('select 1')).rejects.toMatchObject(late)
  })
})

describe('as in pg', () => {
  it('a statement in the extended protocol is one', async () => {
    await using db = open()
    const extended = { text: 'select 1; select 2', queryMode: 'extended' } as never
    await expect(db.shard(1).pool.query(extended)).rejects.toMatchObject({ code: '42601' })
    const client = await db.shard(2).pool.connect()
    await run(client, { text: 'begin', queryMode: 'extended' })
    await expect(client.query(extended)).rejects.toMatchObject({ code: '42601' })
    await run(client, { text: 'rollback', queryMode: 'extended' })
    expect((await run(client, { text: shardOf, queryMode: 'extended' })).rows).toEqual([{ shard: 2 }])
    client.release()
  })

  it('a callback is told in each of its places', async () => {
    await using db = open()
    const client = await db.shard(1).pool.connect()
    const told = (start: (callback: (...args: unknown[]) => void) => unknown): Promise<unknown[]> =>
      new Promise((resolve) => start((...args) => resolve(args)))
    const any = client as unknown as { query: (...args: unknown[]) => unknown }
    const query = new Query('select 1 as n')
    const ways: ((callback: (...args: unknown[]) => void) => unknown)[] = [
      (callback) => any.query('select 1 as n', callback),
      (callback) => any.query('select $1::int as n', [1], callback),
      (callback) => any.query({ text: 'select 1 as n' }, callback),
      (callback) => any.query({ text: 'select 1 as n', callback }),
      (callback) => any.query(query, callback),
      (callback) => any.query(new Query('select 1 as n'), undefined, callback),
    ]
    for (const way of ways) {
      const [error, result] = await told(way)
      expect([error, (result as { rows: unknown }).rows]).toEqual([null, [{ n: 1 }]])
    }
    client.release()
    expect((await told((callback) => db.shard(1).pool.query('select 1', callback)))[0]).toBe(undefined)
    expect(await run(db.shard(2).pool, new Query(shardOf))).toMatchObject({
      rows: [{ shard: 2 }],
    })
  })

  it('listeners can be removed after the release, and only those that were added', async () => {
    await using db = open({ poolMax: 1 })
    for (const borrow of [() => db.shard(1).pool.connect(), () => db.getConnection(1)]) {
      const client: PoolClient = await borrow()
      const listener = (): void => undefined
      client.on('error', listener)
      client.removeAllListeners('error')
      client.on('error', listener)
      client.release()
      client.removeListener('error', listener)
      client.off('error', listener).removeAllListeners()
      expect(client.listenerCount('error')).toBeGreaterThan(0)
    }
  })

  it('a Query of another copy of pg runs in the shard', async () => {
    const { Query: Other } = loadAgain('pg') as typeof pg
    expect(Other).not.toBe(Query)
    await using db = open()
    const client = await db.shard(2).pool.connect()
    const rows = await new Promise((resolve) => {
      client.query(new Other(shardOf, (_error: unknown, result: { rows: unknown }) => resolve(result.rows)) as never)
    })
    client.release()
    expect(rows).toEqual([{ shard: 2 }])
  })

  it('an error shows who has called', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    const client = await pool.connect()
    async function callerByName(query: (text: string) => Promise<unknown>): Promise<unknown> {
      return query('select 1/0').catch((error: unknown) => {
        throw error
      })
    }
    for (const query of [
      (text: string) => pool.query(text),
      (text: string) => client.query(text),
      (text: string) => db.shard(1).query(text),
    ]) {
      const error = await callerByName(async (text) => await query(text)).then(undefined, (thrown: unknown) => thrown)
      expect((error as Error).stack).toContain('shard-pool-as-pg.test.ts')
      expect((error as Error).stack).toMatch(/^error: division by zero/)
    }
    client.release()
  })

  it('a name without a text means the statement of that name, within a loan', async () => {
    await using db = open()
    const client = await db.shard(2).pool.connect()
    await client.query({ name: 'one', text: 'select shard + $1::int as n from photos', values: [1] })
    expect((await run(client, { name: 'one', values: [2] })).rows).toEqual([{ n: 4 }])
    await expect(client.query({ name: 'one', text: 'select 2' })).rejects.toThrow('Prepared statements must be unique')
    client.release()
  })

  it('rows come in portions, as arrays, in binary, by parsers of the statement, also after an error', async () => {
    await using db = open()
    const client = await db.shard(1).pool.connect()
    const query = (config: object): Promise<{ rows: unknown[] }> => client.query(config as never)
    const many = await query({ text: 'select generate_series(1, 5) as n', rows: 2, portal: 'p' })
    expect(many.rows).toHaveLength(5)
    await expect(query({ text: 'select 1/(3 - n) from generate_series(1, 5) as n', rows: 1 })).rejects.toMatchObject({
      code: '22012',
    })
    expect((await query({ text: 'select 1, 2', rowMode: 'array' })).rows).toEqual([[1, 2]])
    expect((await query({ text: 'select $1::int as n', values: [7], binary: true })).rows).toEqual([{ n: 7 }])
    const types = { getTypeParser: () => (text: string) => `<${text}>` }
    expect((await query({ text: 'select 1 as n', types })).rows).toEqual([{ n: '<1>' }])
    expect((await query({ text: 'select 1 as n', values: null })).rows).toEqual([{ n: 1 }])
    client.release()
    expect((await run(db.shard(1).pool, { text: 'select generate_series(1, 5)', rows: 2 })).rows).toHaveLength(5)
  })
})

describe('a statement that would have no effect by itself is refused', () => {
  it.each([
    ...[
      'begin',
      'BEGIN;',
      '/* x */ begin work',
      '-- x\nstart transaction read only',
      'begin; insert into photos values (9)',
    ],
    ...['commit', 'end', 'rollback', 'abort work', 'commit and chain', `prepare transaction 'x'`, 'rollback to a'],
    ...['savepoint a', 'release savepoint a', 'insert into photos values (9); commit', 'select 1; begin'],
    ...['set local work_mem = 1000', 'set transaction read only', 'set constraints all deferred', 'lock table photos'],
    ...['declare c cursor for select 1', 'listen news', 'begin; set local work_mem = 1000; commit'],
    ...['select pg_advisory_lock(5)', 'select pg_catalog.pg_try_advisory_lock_shared(5, 6) as mine'],
  ])('%j', (text) => {
    expect(findFutility(text)).toBeTypeOf('string')
  })

  it.each([
    ...['select 1', 'update photos set shard = 1', 'begin; insert into photos values (9); commit', `select 'begin'`],
    ...['set local work_mem = 1000; select 1', 'lock table photos; delete from photos', 'set role x', `notify news`],
    ...['select pg_advisory_xact_lock(5)', 'select pg_advisory_lock(5); select 1; select pg_advisory_unlock(5)'],
    ...[`select 'pg_advisory_lock(5)'`, 'do $$ begin perform pg_advisory_lock(5); end $$'],
    ...[`commit prepared 'x'`, 'select case when true then 1 end', 'declare c cursor for select 1; fetch c'],
    ...['create function f() returns int language sql begin atomic select 1; end', 'select "begin" from photos'],
  ])('and %j is not', (text) => {
    expect(findFutility(text)).toBe(undefined)
  })

  it('by the pool, with a word of what to do', async () => {
    await using db = open()
    const { pool } = db.shard(1)
    const refused = { code: 'HV_STATEMENT_REFUSED', hint: expect.stringContaining('transaction()') as string }
    await expect(pool.query('begin')).rejects.toMatchObject(refused)
    await expect(pool.query(new Query('begin') as never)).rejects.toMatchObject(refused)
    await expect(db.shard(1).query({ text: 'commit', values: [] })).rejects.toMatchObject(refused)
    await expect(db.shard(1).sql`rollback`).rejects.toMatchObject(refused)
    pool.on('acquire', () => undefined)
    await expect(pool.query('savepoint a')).rejects.toMatchObject(refused)
    expect(db.stats()[0]).toMatchObject({ created: 0 })
  })
})
