import { Client, type ClientConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, Key, type Body, type ConnectionEntry, type DatastoreOptions } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = databases.connections.map((connection, index) => ({
    ...connection,
    shards: index === 0 ? '1-5' : '5-9',
  }))
  await provision(connections)
})
afterAll(() => databases.drop())

function open(options: Partial<DatastoreOptions> = {}): Datastore {
  return new Datastore({ connections, ...options })
}

async function onServer<T>(index: number, work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client(databases.connections[index])
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

const countOf = (shardId: number): Promise<number> =>
  onServer(shardId < 5 ? 0 : 1, async (admin) => {
    const { rows } = await admin.query<{ n: number }>(`select count(*)::int as n from shard000${shardId}.entities`)
    return rows[0]?.n ?? -1
  })

const bodies: Record<string, Body> = {
  empty: {},
  'of text and null': { a: 'x', b: null, c: '', '': 'empty key' },
  'of what hstore gives a meaning': { 'a"b': '=>', 'c\\d': ',"NULL"', NULL: 'NULL', null: null, 'x, y': "'" },
  'of names that objects have': JSON.parse('{"__proto__":"p","constructor":"c","toString":null}') as Body,
  'of every script': { имя: 'Ярославль', 名前: '東京', '🏙️': '🌆', '\u0007': '\u{10ffff}' },
}

describe('an entity', () => {
  it.each(Object.entries(bodies))('with a body %s comes back equal', async (_name, body) => {
    await using db = open()
    const key = await db.put(5, 7, body)
    const entity = await db.get(key)
    expect(entity).toEqual({ key, kind: 7, body, updated: null })
    expect(Object.keys(entity?.body ?? {}).sort()).toEqual(Object.keys(body).sort())
  })

  it('has a key of its shard, made now', async () => {
    await using db = open()
    const before = Date.now()
    const key = await db.put(8, 1, {})
    expect(key.shardId).toBe(8)
    expect(Math.abs(key.created.getTime() - before)).toBeLessThan(60_000)
  })

  it.each([-32_768, -1, 0, 32_767])('may be of kind %d', async (kind) => {
    await using db = open()
    expect((await db.get(await db.put(1, kind, {})))?.kind).toBe(kind)
  })

  it('that is not there is undefined', async () => {
    await using db = open()
    expect(await db.get(Key.from({ created: new Date(), shardId: 1, addedId: 1023 }))).toBeUndefined()
  })

  it('tells when it was changed, as UTC in milliseconds', async () => {
    await using db = open()
    const key = await db.put(1, 1, {})
    await onServer(0, (admin) =>
      admin.query(`update shard0001.entities set updated = '2014-11-15 14:11:06.450999' where id = $1`, [
        key.toString(),
      ]),
    )
    expect((await db.get(key))?.updated).toEqual(new Date('2014-11-15T14:11:06.450Z'))
  })

  it('of another epoch counts from there', async () => {
    await using db = open({ epochMs: 0 })
    const key = await db.put(1, 1, {})
    expect(key.created.getUTCFullYear()).toBeLessThan(2000)
  })
})

describe('many entities', () => {
  it('get their keys in the order of the bodies', async () => {
    await using db = open()
    const given = Array.from({ length: 2_000 }, (_, n) => ({ n: String(n) }))
    const keys = await db.putMany(6, 2, given)
    expect(new Set(keys.map(String)).size).toBe(2_000)
    const found = await db.getMany(keys)
    expect(found.map((entity) => entity?.body)).toEqual(given)
    expect(found.every((entity) => entity?.kind === 2)).toBe(true)
  })

  it('come back in the order of the keys, from all servers, with gaps and repetitions', async () => {
    await using db = open()
    const [a, b] = [await db.put(1, 1, { at: 'a' }), await db.put(8, 1, { at: 'b' })]
    const none = Key.from({ created: new Date('2080-01-01'), shardId: 3, addedId: 5 })
    const found = await db.getMany([b, none, a, b])
    expect(found.map((entity) => entity?.body.at)).toEqual(['b', undefined, 'a', 'b'])
  })

  it('may be none', async () => {
    await using db = open()
    expect(await db.putMany(1, 1, [])).toEqual([])
    expect(await db.getMany([])).toEqual([])
    expect(db.stats()[0]?.created).toBe(0)
  })

  it('beyond one statement are stored in one transaction, in order', async () => {
    await using db = open()
    const given = Array.from({ length: 12_000 }, (_, n) => ({ n: String(n) }))
    const keys = await db.putMany(7, 2, given)
    const found = await db.getMany(keys)
    expect(found.map((entity) => entity?.body.n)).toEqual(given.map(({ n }) => n))
  })

  it('get keys that nobody else gets, however many batches and puts run at once', async () => {
    await using db = open()
    const given = Array.from({ length: 5_000 }, (_, n) => ({ n: String(n) }))
    const batches = Array.from({ length: 6 }, () => db.putMany(6, 9, given))
    const singles = Array.from({ length: 200 }, (_, n) => db.put(6, 9, { n: String(n) }))
    const keys = [...(await Promise.all(batches)).flat(), ...(await Promise.all(singles))]
    expect(new Set(keys.map(String)).size).toBe(30_200)
    expect(keys.every((key) => key.shardId === 6 && Math.abs(key.created.getTime() - Date.now()) < 60_000)).toBe(true)
    expect((await db.getMany(keys)).every((entity) => entity !== undefined)).toBe(true)
  })

  it('of which one cannot be stored are not stored at all', async () => {
    await using db = open()
    await onServer(0, (admin) =>
      admin.query(`alter table shard0002.entities add constraint no_evil check (not body ? 'evil')`),
    )
    const given = [...Array.from({ length: 9_000 }, () => ({ a: '1' })), { evil: '1' }]
    await expect(db.putMany(2, 1, given)).rejects.toMatchObject({
      code: 'HV_STATEMENT_FAILED',
      details: { sqlstate: '23514', shardId: 2, serverId: 's1' },
    })
    expect(await countOf(2)).toBe(0)
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })
})

describe('what cannot be an entity is refused before anything is sent', () => {
  it.each([
    ['a kind that is too large', 32_768, {}, RangeError, 'kind'],
    ['a kind with a fraction', 1.5, {}, RangeError, 'kind'],
    ['a kind that is text', '1', {}, TypeError, 'kind'],
    ['a body with a number', 1, { age: 7 }, TypeError, 'age'],
    ['a body with undefined', 1, { age: undefined }, TypeError, 'age'],
    ['a body that is an array', 1, ['a'], TypeError, 'body'],
    ['a body that is a class', 1, new Map(), TypeError, 'body'],
    ['no body', 1, undefined, TypeError, 'body'],
    ['a body with NUL', 1, { nul: 'a\0b' }, RangeError, 'nul'],
    ['a body with a lone surrogate', 1, { half: '\ud800' }, RangeError, 'half'],
  ])('%s', async (_name, kind, body, type, named) => {
    await using db = open()
    const failure = db.put(1, kind as number, body as Body)
    await expect(failure).rejects.toThrow(type)
    await expect(failure).rejects.toThrow(named)
    expect(db.stats()[0]?.created).toBe(0)
  })

  it('a body among many, named by its place', async () => {
    await using db = open()
    await expect(db.putMany(1, 1, [{}, {}, { x: 5 as never }])).rejects.toThrow(/bodies\[2\].*x/)
    await expect(db.putMany(1, 1, { length: 1 } as never)).rejects.toThrow('bodies must be an array')
    expect(db.stats()[0]?.created).toBe(0)
  })

  it.each([5n, '5', 5, undefined, { id: 5n }])('a key that is %s', async (key) => {
    await using db = open()
    await expect(db.get(key as never)).rejects.toThrow(TypeError)
    await expect(db.getMany([key] as never)).rejects.toThrow(TypeError)
  })
})

describe('a shard of the original', () => {
  it.each([true, false])('is read and written as it is; with the column updated: %s', async (withUpdated) => {
    await using fresh = await createDatabases(1)
    const connection = fresh.connections[0] as ClientConfig
    const admin = new Client(connection)
    await admin.connect()
    await admin.query('create extension hstore')
    await createOriginalShards(admin, { first: 1, last: 2, withUpdated })
    const inserted = await admin.query<{ id: string }>(
      `insert into shard0001.entities (type, body) values (3, 'beep=>boop, none=>NULL') returning id`,
    )
    await admin.end()
    await using db = new Datastore({ connections: [{ ...connection, shards: '1-3' }] })
    const old = await db.get(new Key(inserted.rows[0]?.id ?? ''))
    expect(old).toMatchObject({ kind: 3, body: { beep: 'boop', none: null }, updated: null })
    const keys = [await db.put(2, 1, { a: '1' }), ...(await db.putMany(2, 1, [{ a: '2' }, { a: '3' }]))]
    expect((await db.getMany(keys)).map((entity) => entity?.body.a)).toEqual(['1', '2', '3'])
  })
})

describe('a key that the server gave out already', () => {
  /** Makes `next_id()` return the same key until it has been called `times` times. */
  async function repeatKeys(shardId: number, times: number, taken: Key): Promise<void> {
    const schema = `shard000${shardId}`
    await onServer(0, (admin) =>
      admin.query(`create sequence ${schema}.calls;
        alter function ${schema}.next_id() rename to honest_next_id;
        create function ${schema}.next_id(out result bigint) language sql as $$
          select case when nextval('${schema}.calls') <= ${times} then ${taken.id} else ${schema}.honest_next_id() end $$;
        alter table ${schema}.entities alter id set default ${schema}.next_id()`),
    )
  }

  it('is made again until it is new, and counted', async () => {
    await using db = open()
    const taken = await db.put(3, 1, { first: 'yes' })
    await repeatKeys(3, 3, taken)
    const key = await db.put(3, 1, { second: 'yes' })
    expect(key.equals(taken)).toBe(false)
    expect((await db.get(taken))?.body).toEqual({ first: 'yes' })
    expect(db.stats()[0]?.keyCollisions).toBe(3)
  })

  it('too often in a row is an error, and nothing is written', async () => {
    await using db = open()
    const taken = await db.put(4, 1, { first: 'yes' })
    await repeatKeys(4, 1_000_000, taken)
    const details = { serverId: 's1', shardId: 4, attempts: 10 }
    await expect(db.put(4, 1, {})).rejects.toMatchObject({ code: 'HV_KEY_COLLISION', retryable: true, details })
    expect(await countOf(4)).toBe(1)
  })

  it('does not hide that another constraint is violated', async () => {
    await using db = open()
    await onServer(1, (admin) => admin.query(`create unique index only_one on shard0008.entities ((body -> 'mail'))`))
    await db.put(8, 1, { mail: 'a@b' })
    await expect(db.put(8, 1, { mail: 'a@b' })).rejects.toMatchObject({
      code: 'HV_STATEMENT_FAILED',
      details: { sqlstate: '23505' },
    })
    expect(db.stats()[1]?.keyCollisions).toBe(0)
  })
})

describe('a statement that fails', () => {
  it('in a shard that is not on its server says so', async () => {
    await using db = new Datastore({ connections: [{ ...databases.connections[0], shards: '1000-1001' }] })
    await expect(db.put(1000, 1, {})).rejects.toMatchObject({ code: 'HV_SHARD_MISSING', details: { shardId: 1000 } })
  })

  /** Kills the backend that works for `db` on the first server, once it waits for the lock. */
  async function killWaiting(admin: Client): Promise<void> {
    await until('a statement waits for the lock', async () => {
      const { rowCount } = await admin.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity
         where wait_event_type = 'Lock' and datname = current_database()`,
      )
      return rowCount === 1
    })
  }

  /** Two sessions, because inside a transaction pg_stat_activity does not change. */
  async function whileLocked(work: (admin: Client) => Promise<void>): Promise<void> {
    await onServer(0, async (holder) => {
      await holder.query('begin; lock table shard0001.entities in access exclusive mode')
      await onServer(0, work)
      await holder.query('rollback')
    })
  }

  it('because its backend died is HV_OUTCOME_UNKNOWN for a write, HV_CONNECTION_LOST for a read', async () => {
    await using db = open()
    const key = await db.put(1, 1, {})
    await whileLocked(async (admin) => {
      const write = expect(db.put(1, 1, {})).rejects.toMatchObject({
        code: 'HV_OUTCOME_UNKNOWN',
        details: { sqlstate: '57P01' },
      })
      await killWaiting(admin)
      await write
      const read = expect(db.get(key)).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST', details: { shardId: 1 } })
      await killWaiting(admin)
      await killWaiting(admin) // a read is sent again, once
      await read
    })
    expect((await db.get(key))?.key.equals(key)).toBe(true)
  })

  it('of several in one transaction has provably written nothing', async () => {
    await using db = open()
    const many = Array.from({ length: 6_000 }, () => ({}))
    await whileLocked(async (admin) => {
      const write = expect(db.putMany(1, 1, many)).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST' })
      await killWaiting(admin)
      await write
    })
  })

  it('because its time is over is cancelled at the server, and provably not executed', async () => {
    await using db = open({ statementTimeoutMs: 50 })
    const before = await countOf(1)
    await whileLocked(async () => {
      const cancelled = { code: 'HV_STATEMENT_FAILED', details: { sqlstate: '57014' } }
      await expect(db.put(1, 1, {})).rejects.toMatchObject(cancelled)
    })
    expect(await countOf(1)).toBe(before)
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })

  it('because it was aborted rejects with the reason at once, and frees its connection', async () => {
    await using db = open()
    const controller = new AbortController()
    await whileLocked(async (admin) => {
      const write = expect(db.put(1, 1, {}, { signal: controller.signal })).rejects.toThrow('enough')
      await until('it waits for the lock', async () => {
        const { rowCount } = await admin.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        )
        return rowCount !== 0
      })
      controller.abort(new Error('enough'))
      await write
    })
    // The statement itself goes on until the server has done with it.
    await until('the connection is free', () => db.stats()[0]?.lent === 0)
  })
})
