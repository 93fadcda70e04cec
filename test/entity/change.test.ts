import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Datastore,
  Key,
  type Body,
  type ConnectionEntry,
  type DatastoreOptions,
  type Transaction,
} from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { until } from '../support/until.ts'

/** Shards 1 to 4 and 5 to 8 are made here; 20 and 21 by the original's second script, without `updated`. */
let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = databases.connections.map((connection, index) => ({
    ...connection,
    shards: index === 0 ? '1-5' : '5-9',
  }))
  await provision(connections)
  connections.push({ ...databases.connections[0], shards: '20-22' })
  await onServer((admin) => createOriginalShards(admin, { first: 20, last: 21, withUpdated: false }))
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

const noneAt = (shardId: number): Key => Key.from({ created: new Date('2030-01-01'), shardId, addedId: 7 })

/** Both ways that a statement can go. */
const ways = [
  ['in a lane', { batch: true }],
  ['alone', { batch: false }],
] as const

describe.each(ways)('an update, %s,', (_way, options) => {
  it('sets and removes keys of the body, and leaves the others', async () => {
    await using db = open(options)
    const key = await db.put(1, 3, { a: '1', b: '2', c: null, 'x"y': "o'k" })
    const outcome = await db.update(key, { set: { b: 'new', d: null, __proto_: 'p' }, unset: ['a', 'c', 'nope'] })
    expect(outcome.status).toBe('changed')
    expect(await db.get(key)).toMatchObject({ kind: 3, body: { b: 'new', d: null, __proto_: 'p', 'x"y': "o'k" } })
    expect((await db.get(key))?.body).not.toHaveProperty('a')
  })

  it('gives another kind and nothing else', async () => {
    await using db = open(options)
    const key = await db.put(1, 3, { a: '1' })
    await db.update(key, { kind: -4 })
    expect(await db.get(key)).toMatchObject({ kind: -4, body: { a: '1' } })
  })

  it('tells when it was, and that is what get tells', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, {})
    const outcome = await db.update(key, { set: { a: '1' } })
    expect(outcome).toEqual({ status: 'changed', updated: (await db.get(key))?.updated })
    expect(outcome).toMatchObject({ updated: expect.any(Date) as Date })
  })

  it('of nothing is missing, and makes nothing', async () => {
    await using db = open(options)
    expect(await db.update(noneAt(1), { set: { a: '1' } })).toEqual({ status: 'missing' })
    expect(await db.update(noneAt(1), { set: {} }, { ifUpdatedAt: null })).toEqual({ status: 'missing' })
    expect(await db.exists(noneAt(1))).toBe(false)
  })

  it('takes its time from the one before when the clock has stepped back', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, {})
    await onServer((admin) =>
      admin.query(`update shard0001.entities set updated = '2080-01-01 00:00:00.1239' where id = $1`, [String(key)]),
    )
    expect(await db.update(key, { set: { a: '1' } })).toEqual({
      status: 'changed',
      updated: new Date('2080-01-01T00:00:00.124Z'),
    })
  })
})

describe.each(ways)('a replace, %s,', (_way, options) => {
  it('leaves nothing of the body before, and the kind if none is given', async () => {
    await using db = open(options)
    const key = await db.put(5, 3, { a: '1', b: '2' })
    expect(await db.replace(key, { body: { c: '3' } })).toMatchObject({ status: 'changed' })
    expect(await db.get(key)).toMatchObject({ kind: 3, body: { c: '3' } })
    await db.replace(key, { body: {}, kind: 4 })
    expect(await db.get(key)).toMatchObject({ kind: 4, body: {} })
    expect(await db.replace(noneAt(5), { body: {} })).toEqual({ status: 'missing' })
  })
})

describe.each(ways)('a condition, %s,', (_way, options) => {
  it('on the time holds until somebody changes the entity', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, { n: '0' })
    const first = await db.update(key, { set: { n: '1' } }, { ifUpdatedAt: null })
    if (first.status !== 'changed') throw new Error(first.status)
    const { updated } = first
    expect(await db.update(key, { set: { n: '2' } }, { ifUpdatedAt: updated })).toMatchObject({ status: 'changed' })
    for (const stale of [updated, null]) {
      expect(await db.update(key, { set: { n: '3' } }, { ifUpdatedAt: stale })).toEqual({
        status: 'conflict',
        current: await db.get(key),
      })
    }
    expect((await db.get(key))?.body).toEqual({ n: '2' })
  })

  it('on the time compares milliseconds, because a Date has no more', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, {})
    await onServer((admin) =>
      admin.query(`update shard0001.entities set updated = '2014-11-15 14:11:06.450999' where id = $1`, [String(key)]),
    )
    const ifUpdatedAt = (await db.get(key))?.updated ?? null
    expect(await db.update(key, { set: {} }, { ifUpdatedAt })).toMatchObject({ status: 'changed' })
  })

  it('on the body compares all of it', async () => {
    await using db = open(options)
    const key = await db.put(5, 1, { a: '1', 'b"': null, '': '' })
    const wrong: Body[] = [{}, { a: '1' }, { a: '1', 'b"': 'null', '': '' }, { a: '1', 'b"': null, '': '', c: '1' }]
    for (const ifBody of wrong) {
      expect(await db.replace(key, { body: {} }, { ifBody })).toMatchObject({ status: 'conflict' })
    }
    const ifBody = { '': '', 'b"': null, a: '1' }
    expect(await db.replace(key, { body: { z: '1' } }, { ifBody })).toMatchObject({ status: 'changed' })
    expect(await db.delete(key, { ifBody: { z: '1' } })).toEqual({ status: 'deleted' })
  })

  it('on the kind compares it, and shows which it is', async () => {
    await using db = open(options)
    const key = await db.put(5, 3, { a: '1' })
    const current = { key, kind: 3, body: { a: '1' }, updated: null }
    expect(await db.update(key, { set: { a: '2' } }, { ifKind: -3 })).toEqual({ status: 'conflict', current })
    expect(await db.delete(key, { ifKind: 4 })).toEqual({ status: 'conflict', current })
    expect(await db.update(key, { kind: -3 }, { ifKind: 3 })).toMatchObject({ status: 'changed' })
    expect(await db.delete(key, { ifKind: -3 })).toEqual({ status: 'deleted' })
  })

  it('may be several', async () => {
    await using db = open(options)
    const key = await db.put(5, 1, { a: '1' })
    expect((await db.delete(key, { ifUpdatedAt: null, ifBody: {} })).status).toBe('conflict')
    expect((await db.delete(key, { ifUpdatedAt: new Date(), ifBody: { a: '1' } })).status).toBe('conflict')
    expect((await db.delete(key, { ifUpdatedAt: null, ifBody: { a: '1' } })).status).toBe('deleted')
  })

  it('lets exactly one of many win, and shows it to the others', async () => {
    await using one = open(options)
    await using two = open(options)
    const key = await one.put(1, 1, { winner: 'none' })
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, (_, n) =>
        [one, two][n % 2]!.update(key, { set: { winner: String(n) } }, { ifUpdatedAt: null }),
      ),
    )
    const winner = outcomes.findIndex(({ status }) => status === 'changed')
    expect(outcomes.filter(({ status }) => status === 'changed')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'conflict') expect(outcome.current.body).toEqual({ winner: String(winner) })
    }
    expect(outcomes.filter(({ status }) => status === 'conflict')).toHaveLength(23)
  })

  it('makes counting by many exact, however they meet', async () => {
    await using one = open(options)
    await using two = open(options)
    const keys = await one.putMany(
      5,
      1,
      Array.from({ length: 3 }, () => ({ n: '0' })),
    )
    const increment = async (db: Datastore, key: Key): Promise<void> => {
      for (let entity = await db.get(key); ;) {
        const set = { n: String(Number(entity?.body.n) + 1) }
        const outcome = await db.update(key, { set }, { ifUpdatedAt: entity?.updated ?? null })
        if (outcome.status === 'changed') return
        if (outcome.status === 'missing') throw new Error('missing')
        entity = outcome.current
      }
    }
    const work = keys.flatMap((key) => Array.from({ length: 10 }, (_, n) => increment(n % 2 === 0 ? one : two, key)))
    await Promise.all(work)
    expect((await one.getMany(keys)).map((entity) => entity?.body)).toEqual([{ n: '10' }, { n: '10' }, { n: '10' }])
  })

  it('waits for a transaction in its way, and looks at what that has left', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, { a: '1' })
    const others = await db.putMany(1, 1, [{ a: '1' }, { a: '1' }])
    await onServer(async (admin) => {
      await admin.query('begin')
      await admin.query(`update shard0001.entities set body = 'a=>2', type = 9 where id = $1`, [String(key)])
      const outcomes = [key, ...others].map((each) => db.update(each, { set: { b: '1' } }, { ifBody: { a: '1' } }))
      await untilWaiting()
      await admin.query('commit')
      expect((await Promise.all(outcomes)).map(({ status }) => status)).toEqual(['conflict', 'changed', 'changed'])
      expect(await outcomes[0]).toMatchObject({ current: { kind: 9, body: { a: '2' } } })
    })
  })

  it('on an entity that is deleted meanwhile finds it missing', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, { a: '1' })
    await onServer(async (admin) => {
      await admin.query('begin')
      await admin.query(`delete from shard0001.entities where id = $1`, [String(key)])
      const outcome = db.replace(key, { body: {} }, { ifBody: { a: '1' } })
      await untilWaiting()
      await admin.query('commit')
      expect(await outcome).toEqual({ status: 'missing' })
    })
  })
})

/** Resolves when a statement of these databases waits for a lock. */
async function untilWaiting(): Promise<void> {
  await until('a statement waits for the lock', () =>
    onServer(async (watcher) => {
      const { rowCount } = await watcher.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
      return rowCount !== 0
    }),
  )
}

describe.each(ways)('an update without a condition, %s,', (_way, options) => {
  it('adds to what a transaction in its way has left', async () => {
    await using db = open(options)
    const keys = await db.putMany(1, 1, [{ a: '1' }, { a: '1' }])
    await onServer(async (admin) => {
      await admin.query('begin')
      await admin.query(`update shard0001.entities set body = 'a=>2,c=>3' where id = $1`, [String(keys[0])])
      const outcomes = keys.map((key) => db.update(key, { set: { b: '1' } }))
      await untilWaiting()
      await admin.query('commit')
      await Promise.all(outcomes)
    })
    const bodies = (await db.getMany(keys)).map((entity) => entity?.body)
    expect(bodies).toEqual([
      { a: '2', b: '1', c: '3' },
      { a: '1', b: '1' },
    ])
  })
})

describe.each(ways)('a delete, %s,', (_way, options) => {
  it('tells whether the entity was there', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, {})
    expect(await db.exists(key)).toBe(true)
    expect(await db.delete(key)).toBe(true)
    expect(await db.delete(key)).toBe(false)
    expect(await db.get(key)).toBeUndefined()
    expect(await db.exists(key)).toBe(false)
  })

  it('under a condition tells what became of it', async () => {
    await using db = open(options)
    const key = await db.put(1, 1, { a: '1' })
    const conflict = await db.delete(key, { ifBody: {} })
    expect(conflict).toEqual({ status: 'conflict', current: await db.get(key) })
    expect(await db.delete(key, { ifUpdatedAt: null })).toEqual({ status: 'deleted' })
    expect(await db.delete(key, { ifUpdatedAt: null })).toEqual({ status: 'missing' })
  })

  it('of many tells it for each, of any shards, in the order of the keys', async () => {
    await using db = open(options)
    const [a, b, c] = [await db.put(1, 1, {}), await db.put(8, 1, {}), await db.put(20, 1, {})]
    const keys = [b, noneAt(1), a, b, c, noneAt(8)]
    expect(await db.deleteMany(keys)).toEqual([true, false, true, false, true, false])
    expect(await db.getMany([a, b, c])).toEqual([undefined, undefined, undefined])
    expect(await db.deleteMany([])).toEqual([])
  })
})

describe('changes in a lane', () => {
  it('of the same key are done one after the other, in the order in which they were asked for', async () => {
    await using db = open()
    const [key, other] = (await db.putMany(1, 1, [{}, {}])) as [Key, Key]
    const outcomes = await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => db.update(key, { set: { [`k${n}`]: '1', last: String(n) } })),
      db.update(other, { set: { a: '1' } }),
    ])
    const times = outcomes.slice(0, 20).map((outcome) => (outcome.status === 'changed' ? outcome.updated : null))
    expect(times).toEqual([...new Set(times.map(Number))].sort((x, y) => x - y).map((ms) => new Date(ms)))
    const body = (await db.get(key))?.body ?? {}
    expect(Object.keys(body)).toHaveLength(21)
    expect(body.last).toBe('19')
  })

  it('travel together', async () => {
    const statements: string[] = []
    const logger = { debug: ({ sql }: { sql?: string }) => void statements.push(sql ?? ''), warn: () => undefined }
    await using db = open({ logger })
    const keys = await db.putMany(
      2,
      1,
      Array.from({ length: 100 }, () => ({})),
    )
    await db.update(keys[0] as Key, { set: {} })
    statements.length = 0
    await Promise.all(keys.map((key) => db.update(key, { set: { a: '1' } })))
    await Promise.all(keys.map((key) => db.exists(key)))
    await Promise.all(keys.map((key) => db.delete(key)))
    expect(statements.length).toBeLessThan(12)
    expect(await db.exists(keys[99] as Key)).toBe(false)
  })

  it('of which one is refused fail alone', async () => {
    await using db = open()
    await onServer((admin) =>
      admin.query(`alter table shard0003.entities add constraint no_evil check (not body ? 'evil')`),
    )
    const keys = await db.putMany(
      3,
      1,
      Array.from({ length: 20 }, () => ({})),
    )
    const outcomes = await Promise.allSettled(
      keys.map((key, n) => db.update(key, { set: n === 13 ? { evil: '1' } : { good: '1' } })),
    )
    expect(outcomes.map(({ status }) => status).filter((status) => status === 'fulfilled')).toHaveLength(19)
    expect(outcomes[13]).toMatchObject({ reason: { code: 'HV_STATEMENT_FAILED', details: { sqlstate: '23514' } } })
    expect((await db.get(keys[13] as Key))?.body).toEqual({})
  })

  it('of two datastores that name the same keys in other orders do not stop each other', async () => {
    await using one = open()
    await using two = open()
    const keys = await one.putMany(
      5,
      1,
      Array.from({ length: 200 }, () => ({ n: '0' })),
    )
    const both = [one, two].flatMap((db, index) =>
      [...(index === 0 ? keys : keys.toReversed())].map((key) => db.update(key, { set: { [`by${index}`]: '1' } })),
    )
    expect((await Promise.all(both)).every(({ status }) => status === 'changed')).toBe(true)
    const bodies = (await one.getMany(keys)).map((entity) => entity?.body)
    expect(bodies).toEqual(keys.map(() => ({ n: '0', by0: '1', by1: '1' })))
  })
})

describe('a change whose connection ends', () => {
  it.each(ways)('is HV_OUTCOME_UNKNOWN, %s', async (_way, options) => {
    await using db = open(options)
    const key = await db.put(1, 1, {})
    await db.update(key, { set: {} })
    await onServer(async (holder) => {
      await holder.query('begin; lock table shard0001.entities in access exclusive mode')
      for (const change of [() => db.update(key, { set: { a: '1' } }), () => db.delete(key)]) {
        const failure = expect(change()).rejects.toMatchObject({ code: 'HV_OUTCOME_UNKNOWN', details: { shardId: 1 } })
        await killWaiting()
        await failure
      }
      await holder.query('rollback')
    })
  })
})

async function killWaiting(): Promise<void> {
  await until('a statement waits for the lock', () =>
    onServer(async (admin) => {
      const { rowCount } = await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where wait_event_type = 'Lock' and datname = current_database()`,
      )
      return rowCount === 1
    }),
  )
}

describe('a shard without the column updated', () => {
  it.each(ways)('does everything but compare times, %s', async (_way, options) => {
    await using db = open(options)
    const [key, other] = (await db.putMany(20, 1, [{ a: '1' }, { a: '1' }])) as [Key, Key]
    expect(await db.update(key, { set: { b: '2' }, unset: ['a'] })).toEqual({ status: 'changed', updated: null })
    expect(await db.update(key, { kind: 4 }, { ifBody: { a: '1' } })).toEqual({
      status: 'conflict',
      current: { key, kind: 1, body: { b: '2' }, updated: null },
    })
    const both = await Promise.all([
      db.replace(other, { body: { c: '1' } }, { ifBody: { a: '1' } }),
      db.update(key, { kind: 5 }),
    ])
    expect(both).toEqual([
      { status: 'changed', updated: null },
      { status: 'changed', updated: null },
    ])
    expect(await db.delete(key, { ifBody: { b: '2' } })).toEqual({ status: 'deleted' })
    expect(await db.delete(other)).toBe(true)
  })

  it.each(ways)('says so when times are to be compared, and changes nothing, %s', async (_way, options) => {
    await using db = open(options)
    const key = await db.put(20, 1, { a: '1' })
    const details = { shardId: 20, serverId: 's3' }
    const refusal = { code: 'HV_UPDATED_MISSING', details }
    await expect(db.update(key, { set: { a: '2' } }, { ifUpdatedAt: null })).rejects.toMatchObject(refusal)
    await expect(db.delete(key, { ifUpdatedAt: new Date() })).rejects.toMatchObject(refusal)
    expect((await db.get(key))?.body).toEqual({ a: '1' })
  })

  it.each(ways)('is noticed to have got it, %s', async (_way, options) => {
    await using db = open(options)
    const shardId = options.batch ? 20 : 21
    const key = await db.put(shardId, 1, {})
    expect(await db.update(key, { set: { a: '1' } })).toEqual({ status: 'changed', updated: null })
    await onServer((admin) => admin.query(`alter table shard00${shardId}.entities add column updated timestamp`))
    const outcome = await db.update(key, { set: { a: '2' } }, { ifUpdatedAt: null })
    expect(outcome).toEqual({ status: 'changed', updated: expect.any(Date) as Date })
    await onServer((admin) => admin.query(`alter table shard00${shardId}.entities drop column updated`))
    expect(await db.update(key, { set: { a: '3' } })).toEqual({ status: 'changed', updated: null })
  })
})

describe('what cannot be a change is refused before anything is sent', () => {
  const key = noneAt(1)

  it.each<[string, (db: Datastore) => Promise<unknown>, string]>([
    ['a key that is a number', (db) => db.update(5 as never, { set: {} }), 'update takes a Key, got number'],
    ['a key that is text', (db) => db.delete('5' as never), 'delete takes a Key, got string'],
    ['no change', (db) => db.update(key, {}), 'an update takes set, unset or kind'],
    ['a change of nothing', (db) => db.update(key, { set: undefined }), 'an update takes set, unset or kind'],
    ['no object', (db) => db.update(key, undefined as never), 'an update must be an object of set, unset, kind'],
    ['another part', (db) => db.update(key, { sett: {} } as never), 'unknown part sett of an update'],
    ['a value that is a number', (db) => db.update(key, { set: { age: 7 as never } }), 'set: '],
    ['a key twice', (db) => db.update(key, { set: { a: '1' }, unset: ['a'] }), 'both in set and in unset'],
    ['unset that is text', (db) => db.update(key, { unset: 'a' as never }), 'unset must be an array'],
    ['unset of numbers', (db) => db.update(key, { unset: [1 as never] }), 'unset must be an array of strings'],
    ['unset with NUL', (db) => db.update(key, { unset: ['\0'] }), 'unset: '],
    ['a kind too large', (db) => db.update(key, { kind: 32_768 }), 'kind must be an integer'],
    ['a replacement without body', (db) => db.replace(key, { kind: 1 } as never), 'body must be a plain object'],
    ['a time that is text', (db) => db.delete(key, { ifUpdatedAt: '2020' as never }), 'ifUpdatedAt must be a Date'],
    ['a time that is none', (db) => db.delete(key, { ifUpdatedAt: new Date(NaN) }), 'ifUpdatedAt must be a valid Date'],
    ['a kind that is text', (db) => db.delete(key, { ifKind: '3' as never }), 'ifKind must be a number, got string'],
    ['a kind that is undefined', (db) => db.update(key, { set: {} }, { ifKind: undefined as never }), 'got undefined'],
    ['a misspelt condition', (db) => db.delete(key, { ifupdatedAt: null } as never), 'unknown option ifupdatedAt'],
    ['options that are none', (db) => db.update(key, { set: {} }, 5 as never), 'a change takes an object of options'],
    ['keys that are none', (db) => db.deleteMany(key as never), 'keys must be an array'],
  ])('%s', async (_name, change, message) => {
    for (const batch of [true, false]) {
      await using db = open({ batch })
      await expect(change(db)).rejects.toThrow(message)
      expect(db.stats()[0]?.created).toBe(0)
    }
  })

  it('a misspelt condition in a transaction', async () => {
    await using db = open()
    const changes: ((tx: Transaction) => Promise<unknown>)[] = [
      (tx) => tx.update(key, { set: {} }, { ifBodi: {} } as never),
      (tx) => tx.replace(key, { body: {} }, { ifBodi: {} } as never),
      (tx) => tx.delete(key, { ifBodi: {} } as never),
    ]
    for (const change of changes) await expect(db.transaction(1, change)).rejects.toThrow('unknown option ifBodi')
  })

  it('a condition that is there and undefined, which would overwrite silently', async () => {
    await using db = open()
    const entity = await db.get(key)
    const ifUpdatedAt = entity?.updated as Date
    await expect(db.update(key, { set: {} }, { ifUpdatedAt })).rejects.toThrow(
      'ifUpdatedAt must be a Date or null, got undefined',
    )
    await expect(db.delete(key, { ifBody: entity?.body as Body })).rejects.toThrow(
      'ifBody: body must be a plain object',
    )
  })
})
