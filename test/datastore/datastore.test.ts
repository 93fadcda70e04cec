import { once } from 'node:events'
import { Client, type PoolClient } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, Key, type ConnectionEntry, type DatastoreOptions } from '../../src/index.ts'
import { deferred } from '../../src/pool/deferred.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(2)
  const shards = ['1-5', '5-9']
  connections = databases.connections.map((connection, index) => ({ ...connection, shards: shards[index] ?? '' }))
  await provision(connections)
})
afterAll(() => databases.drop())

function open(options: Partial<DatastoreOptions> = {}): Datastore {
  return new Datastore({ connections, ...options })
}

describe('a datastore', () => {
  it('connects to nothing before it is asked', async () => {
    await using db = open()
    expect(db.stats().map(({ serverId, total }) => [serverId, total])).toEqual([
      ['s1', 0],
      ['s2', 0],
    ])
  })

  it('routes each shard to its server', async () => {
    await using db = open()
    const names = await Promise.all(
      [1, 4, 5, 8].map((shardId) =>
        db.cursor(shardId, async (client) => {
          const { rows } = await client.query<{ port: number }>('select inet_server_port() as port')
          return [client.shardId, client.serverId, rows[0]?.port]
        }),
      ),
    )
    const [first, second] = connections.map(({ port }) => port)
    expect(names).toEqual([
      [1, 's1', first],
      [4, 's1', first],
      [5, 's2', second],
      [8, 's2', second],
    ])
  })

  it('refuses a shard that no server holds, before anything is opened', async () => {
    await using db = open()
    await expect(db.put(9, 1, {})).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN', details: { shardId: 9 } })
    await expect(db.getConnection(0)).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    await expect(db.cursor(8192, () => 1)).rejects.toThrow(RangeError)
    await expect(db.get(Key.from({ created: new Date(), shardId: 9, addedId: 0 }))).rejects.toMatchObject({
      code: 'HV_SHARD_UNKNOWN',
    })
    expect(db.stats().every(({ created }) => created === 0)).toBe(true)
  })

  it.each([
    [{ poolMax: 0 }, 'poolMax must be an integer from 1 to 10000, got 0'],
    [{ poolMax: 1.5 }, 'poolMax'],
    [{ poolMax: '10' }, 'poolMax must be a number, got string'],
    [{ poolBlockTimeoutMs: -1 }, 'poolBlockTimeoutMs'],
    [{ poolBlockTimeoutMs: 2 ** 31 }, 'poolBlockTimeoutMs'],
    [{ epochMs: NaN }, 'epochMs'],
    [{ logger: {} }, 'logger'],
    [{ poolMaximum: 5 }, 'unknown option poolMaximum'],
    [{ connections: [] }, 'connections'],
    [{ connections: undefined }, 'connections'],
  ])('refuses the options %o', (options, message) => {
    expect(() => open(options as never)).toThrow(message)
  })

  it('says what it takes when it is given nothing', () => {
    expect(() => new Datastore(undefined as never)).toThrow(TypeError)
  })

  it.each<[string, (db: Datastore, value: never) => Promise<unknown>, unknown[]]>([
    ['shardId', (db, shardId) => db.put(shardId, 1, {}), ['1', 1n, [1], undefined, null]],
    ['shardId', (db, shardId) => db.getConnection(shardId), ['1', undefined]],
    ['kind', (db, kind) => db.put(1, kind, {}), ['1', undefined, null]],
    ['work', (db, work) => db.cursor(1, work), [undefined, 'x']],
    ['work', (db, work) => db.transaction(1, work), [undefined, 'x']],
    ['signal', (db, signal) => db.put(1, 1, {}, { signal }), ['x', null, {}]],
    ['signal', (db, signal) => db.put(1, 1, {}, { signal, batch: false }), ['x', null, {}]],
    ['signal', (db, signal) => db.getConnection(1, { signal }), ['x', null, {}]],
    ['signal', (db, signal) => db.find(1, {}, { signal }), ['x', null, {}]],
    ['signal', (db, signal) => db.transaction(1, () => 1, { signal }), ['x', null, {}]],
  ])(
    'refuses a %s that is none with a TypeError that names it, before anything is opened',
    async (name, call, wrong) => {
      await using db = open()
      for (const value of wrong) {
        const error = await call(db, value as never).catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(TypeError)
        expect((error as Error).message).toMatch(new RegExp(`^${name} must be `))
      }
      expect(db.stats()[0]).toMatchObject({ created: 0, connecting: 0, waiting: 0 })
    },
  )
})

describe('a lent connection', () => {
  it('is a pg client, and knows its shard and server', async () => {
    await using db = open()
    await using connection = await db.getConnection(5)
    expect(connection).toBeInstanceOf(Client)
    expect(connection.shardId).toBe(5)
    expect(connection.serverId).toBe('s2')
    expect('release' in connection && 'query' in connection).toBe(true)
    expect(connection.escapeIdentifier('a"b')).toBe('"a""b"')
  })

  it('answers to promises, callbacks, configurations and events', async () => {
    await using db = open()
    await using connection = await db.getConnection(1)
    expect((await connection.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }])
    expect((await connection.query({ text: 'select 2 as n', rowMode: 'array' })).rows).toEqual([[2]])
    const rows = await new Promise((resolve, reject) =>
      connection.query('select 3 as n', (error, result) => (error === null ? resolve(result.rows) : reject(error))),
    )
    expect(rows).toEqual([{ n: 3 }])
    const noticed = once(connection, 'notice')
    await connection.query(`do $$ begin raise notice 'hello'; end $$`)
    expect(await noticed).toMatchObject([{ message: 'hello' }])
  })

  it('is given back by putConnection, once', async () => {
    await using db = open()
    const connection = await db.getConnection(1)
    db.putConnection(connection)
    expect(db.stats()[0]).toMatchObject({ idle: 1, lent: 0 })
    expect(() => db.putConnection(connection)).toThrow(expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }))
    expect(() => connection.release()).toThrow(expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }))
    expect(db.stats()[0]).toMatchObject({ idle: 1, lent: 0 })
  })

  it('cannot be used after it was given back, even when somebody else has its session now', async () => {
    await using db = open({ poolMax: 1 })
    const first = await db.getConnection(1)
    first.release()
    await using second = await db.getConnection(1)
    expect(() => first.query('select 1')).toThrow(expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }))
    expect(() => first.on('notice', () => undefined)).toThrow(
      expect.objectContaining({ code: 'HV_CONNECTION_RETURNED' }),
    )
    expect((await second.query('select 1 as n')).rows).toEqual([{ n: 1 }])
  })

  it('of another datastore, or no connection at all, is refused', async () => {
    await using db = open()
    await using other = open()
    await using connection = await other.getConnection(1)
    for (const foreign of [connection, {}, null, undefined, 5, new Client()]) {
      expect(() => db.putConnection(foreign as never)).toThrow(
        expect.objectContaining({ code: 'HV_CONNECTION_FOREIGN' }),
      )
    }
  })

  it('is destroyed when it is released with an error', async () => {
    await using db = open()
    const connection = await db.getConnection(1)
    connection.release(true)
    expect(db.stats()[0]).toMatchObject({ total: 0 })
  })

  it('leaves no listener and no type parser behind', async () => {
    await using db = open({ poolMax: 1 })
    const heard: unknown[] = []
    const first = await db.getConnection(1)
    first.on('notice', (notice) => heard.push(notice))
    first.release()
    const second = await db.getConnection(1)
    await second.query(`do $$ begin raise notice 'hello'; end $$`)
    second.setTypeParser(20, (text) => BigInt(text))
    expect((await second.query('select 5::bigint as n')).rows).toEqual([{ n: 5n }])
    second.release()
    await using third = await db.getConnection(1)
    expect((await third.query('select 5::bigint as n')).rows).toEqual([{ n: '5' }])
    expect(heard).toEqual([])
  })

  it('that dies gives a coded error and is replaced', async () => {
    await using db = open()
    const connection = await db.getConnection(1)
    await expect(connection.query('select pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({
      code: '57P01',
    })
    await expect(connection.query('select 1')).rejects.toMatchObject({
      code: 'HV_CONNECTION_LOST',
      details: { shardId: 1 },
    })
    connection.release()
    expect(await db.cursor(1, async (client) => (await client.query('select 1 as n')).rowCount)).toBe(1)
  })
})

describe('a cursor', () => {
  it('gives back what the work returns, and the connection', async () => {
    await using db = open()
    expect(await db.cursor(5, async (client) => (await client.query('select 7 as n')).rows)).toEqual([{ n: 7 }])
    expect(await db.cursor(5, () => 'at once')).toBe('at once')
    expect(db.stats()[1]).toMatchObject({ lent: 0, idle: 1 })
  })

  it('gives the connection back when the work throws, and destroys it inside a transaction', async () => {
    await using db = open()
    const work = db.cursor(5, async (client) => {
      await client.query('begin')
      throw new Error('mine')
    })
    await expect(work).rejects.toThrow('mine')
    expect(db.stats()[1]).toMatchObject({ lent: 0, idle: 0 })
  })

  it('waits no longer than its signal allows', async () => {
    await using db = open({ poolMax: 1 })
    await using _held = await db.getConnection(5)
    await expect(db.cursor(5, () => 1, { signal: AbortSignal.timeout(10) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })

  const works: Record<string, (client: PoolClient) => unknown> = {
    'a statement': (client) => client.query('select pg_sleep(60)'),
    'a statement whose failure it hides': (client) => client.query('select pg_sleep(60)').catch(() => undefined),
    'a wait of its own': () => new Promise(() => undefined),
    'a connection that it has given back': (client) => {
      client.release()
      return new Promise(() => undefined)
    },
  }
  it.each(Object.entries(works))('is ended by its signal, also in its work: %s', async (_name, work) => {
    await using db = open({ poolMax: 1 })
    const stop = new AbortController()
    const isBegun = deferred<void>()
    const call = db.cursor(
      5,
      (client) => {
        const result = work(client)
        isBegun.resolve()
        return result
      },
      { signal: stop.signal },
    )
    await isBegun.promise
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(call).rejects.toBe(reason)
    expect(await db.cursor(5, () => 'lent again')).toBe('lent again')
  })
})

describe('disconnect', () => {
  it('closes everything, after which calls get HV_CLOSED until reinstantiate', async () => {
    const db = open()
    const key = await db.put(1, 1, { a: '1' })
    await db.disconnect()
    await db.disconnect()
    expect(db.stats().every(({ total }) => total === 0)).toBe(true)
    await expect(db.get(key)).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await expect(db.getConnection(1)).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await db.reinstantiate()
    expect((await db.get(key))?.body).toEqual({ a: '1' })
    await db.disconnect()
  })

  it('waits for a connection that is lent out, within its bound', async () => {
    const db = open()
    const connection = await db.getConnection(1)
    let isClosed = false
    const closing = db.disconnect().then(() => (isClosed = true))
    await connection.query('select 1')
    expect(isClosed).toBe(false)
    db.putConnection(connection)
    await closing
  })

  it('cuts a connection that does not come back in time', async () => {
    const db = open({ disconnectTimeoutMs: 20 })
    const connection = await db.getConnection(1)
    const running = expect(connection.query('select pg_sleep(60)')).rejects.toMatchObject({
      code: 'HV_CONNECTION_LOST',
    })
    await db.disconnect()
    await running
    db.putConnection(connection)
  })
})

describe('reinstantiate', () => {
  it('makes fresh pools; what is still lent out works on and is destroyed when it comes back', async () => {
    const db = open()
    const old = await db.getConnection(1)
    await db.reinstantiate()
    expect(db.stats()[0]).toMatchObject({ total: 0, created: 0 })
    expect((await old.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    db.putConnection(old)
    expect(db.stats()[0]).toMatchObject({ total: 0 })
    await db.disconnect()
  })

  it('leaves it to disconnect to cut what the pools before have lent out', async () => {
    const db = open({ disconnectTimeoutMs: 20 })
    const old = await db.getConnection(1)
    const ended = new Promise((resolve) => old.once('end', () => resolve(undefined)))
    await db.reinstantiate()
    await db.disconnect()
    await ended
    db.putConnection(old)
  })
})

describe('the logger', () => {
  const records: [string, Record<string, unknown>, string][] = []
  const logger = {
    debug: (fields: object, message: string) => void records.push(['debug', { ...fields }, message]),
    warn: (fields: object, message: string) => void records.push(['warn', { ...fields }, message]),
  }
  beforeEach(() => (records.length = 0))

  it('hears of every statement with duration, rows, shard and server', async () => {
    await using db = open({ logger })
    const key = await db.put(5, 1, { password: 'secret-value' })
    await db.get(key)
    await db.cursor(1, (client) => client.query(`select 'secret-value', $1::text`, ['secret-value']))
    expect(
      records.map(([level, fields, message]) => [level, fields.serverId, fields.shardId, fields.rows, message]),
    ).toEqual([
      ['debug', 's2', 5, 1, 'statement'],
      ['debug', 's2', 5, 1, 'statement'],
      ['debug', 's1', 1, 1, 'statement'],
    ])
    expect(records.every(([, fields]) => typeof fields.durationMs === 'number')).toBe(true)
    expect(records[0]?.[1].sql).toContain('insert into shard0005.entities')
  })

  it('never hears a value or a password, also not of a failure', async () => {
    await using db = open({ logger })
    const password = String(connections[0]?.password)
    await db.put(1, 1, { a: 'secret-value' })
    await db.cursor(1, async (client) => {
      await expect(client.query(`select 'secret-value'::int`)).rejects.toThrow()
      await expect(client.query('select $1::int', ['secret-value'])).rejects.toThrow()
      await new Promise((resolve) => client.query(`select 1/0, 'secret-value'`, resolve))
    })
    expect(records.filter(([, , message]) => message === 'statement failed').map(([, fields]) => fields.code)).toEqual([
      '22P02',
      '22P02',
      '22012',
    ])
    expect(JSON.stringify(records)).not.toContain('secret-value')
    expect(JSON.stringify(records)).not.toContain(password)
  })

  it('is not asked to write what it would not write', async () => {
    await using db = open({ logger: { ...logger, isLevelEnabled: () => false } })
    await db.put(1, 1, {})
    expect(records).toEqual([])
  })

  it('hears of an idle connection that is lost', async () => {
    await using db = open({ logger })
    const pid = await db.cursor(
      1,
      async (client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid as number,
    )
    const admin = new Client(connections[0])
    await admin.connect()
    await admin.query('select pg_terminate_backend($1)', [pid])
    await admin.end()
    await until('it was logged', () => records.some(([level]) => level === 'warn'))
    expect(records.at(-1)).toMatchObject(['warn', { serverId: 's1', code: '57P01' }, 'idle connection lost'])
  })
})
