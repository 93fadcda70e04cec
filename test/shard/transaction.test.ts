import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, Key, type ConnectionEntry, type DatastoreOptions, type Transaction } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import { until } from '../support/until.ts'

/** Shards 1 to 4; 20 made by the original's second script, without `updated`. */
let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-5' }]
  await onServer((admin) => admin.query('create schema "odd schema"; create extension hstore schema "odd schema"'))
  await provision(connections)
  await onServer((admin) =>
    admin.query(`
      create table shard0001.accounts (id int primary key, owner text, amount int not null);
      create table shard0002.accounts (id int primary key, owner text, amount int not null);
      create table shard0001.parents (id int primary key);
      create table shard0001.children (parent int references shard0001.parents deferrable initially deferred)`),
  )
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

/** Statements of these databases that wait for a lock, or sleep. */
const isBusy = (): Promise<boolean> =>
  onServer(async (watcher) => {
    const { rowCount } = await watcher.query(
      `select from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
         and (wait_event_type = 'Lock' or wait_event = 'PgSleep')`,
    )
    return rowCount !== 0
  })

const untilBusy = (): Promise<void> => until('a statement waits', isBusy)
const untilQuiet = (): Promise<void> => until('no statement waits', async () => !(await isBusy()))

const killOthers = (): Promise<unknown> =>
  onServer((admin) =>
    admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    ),
  )

describe('a transaction', () => {
  it('leaves all that its work did, and resolves to what it returned', async () => {
    await using db = open()
    const old = await db.put(1, 1, { a: '1' })
    const gone = await db.put(1, 1, {})
    const made = await db.transaction(1, async (tx) => {
      expect([tx.shardId, tx.serverId]).toEqual([1, 's1'])
      const key = await tx.put(2, { b: '1' })
      const many = await tx.putMany(3, [{ c: '1' }, { c: '2' }])
      expect(await tx.update(old, { set: { a: '2' } }, { ifBody: { a: '1' } })).toMatchObject({ status: 'changed' })
      expect(await tx.update(old, { set: { a: '3' } }, { ifUpdatedAt: null })).toMatchObject({ status: 'conflict' })
      expect(await tx.replace(key, { body: { b: '2' } })).toMatchObject({ status: 'changed' })
      expect(await tx.delete(gone, { ifBody: {} })).toEqual({ status: 'deleted' })
      expect(await tx.delete(gone)).toBe(false)
      expect(await tx.deleteMany([many[0] as Key, gone, many[0] as Key])).toEqual([true, false, false])
      expect(await tx.exists(key)).toBe(true)
      expect((await tx.get(key))?.body).toEqual({ b: '2' })
      expect((await tx.getMany([old, gone])).map((entity) => entity?.body)).toEqual([{ a: '2' }, undefined])
      expect(await tx.find({ kind: 2, where: { has: 'b' } })).toHaveLength(1)
      expect(await db.get(key)).toBeUndefined()
      return key
    })
    expect((await db.get(made))?.body).toEqual({ b: '2' })
    expect(db.stats()[0]).toMatchObject({ lent: expect.any(Number) as number, waiting: 0 })
  })

  it('leaves nothing when its work throws, and throws that', async () => {
    await using db = open()
    const keys: Key[] = []
    const failure = db.transaction(1, async (tx) => {
      keys.push(await tx.put(1, {}), ...(await tx.putMany(1, [{}, {}])))
      throw new Error('no more')
    })
    await expect(failure).rejects.toThrow('no more')
    expect(await db.getMany(keys)).toEqual([undefined, undefined, undefined])
    expect(db.stats()[0]).toMatchObject({ destroyed: 0 })
  })

  it('lends one connection, which is free afterwards', async () => {
    await using db = open({ poolMax: 1 })
    await db.transaction(1, async (tx) => {
      await Promise.all([tx.put(1, {}), tx.put(1, {}), tx.query('select 1')])
      expect(db.stats()[0]).toMatchObject({ lent: 1, total: 1 })
    })
    expect(db.stats()[0]).toMatchObject({ lent: 0, idle: 1 })
  })

  it('takes names without a schema for those of its shard, and finds hstore wherever it is', async () => {
    await using db = open({ poolMax: 1 })
    for (const shardId of [1, 2, 1]) {
      const name = await db.transaction(shardId, async (tx) => {
        await tx.query('insert into accounts values ($1, $2, 0) on conflict (id) do update set owner = $2', [
          1,
          `of ${shardId}`,
        ])
        const { rows } = await tx.query<{ owner: string; size: number }>(
          `select owner, (select count(*)::int from entities where body ? 'nothing') as size from accounts`,
        )
        return rows[0]?.owner
      })
      expect(name).toBe(`of ${shardId}`)
    }
    const path = await db.cursor(1, async (client) => (await client.query<{ p: string }>('show search_path')).rows)
    expect(path).toEqual([{ search_path: '"$user", public' }])
  })

  it('gives rows as pg gives them, and errors of the server as they are', async () => {
    await using db = open()
    const { rows, fields } = await db.transaction(1, (tx) => tx.query({ text: 'select $1::int as n', values: [5] }))
    expect([rows, fields[0]?.name]).toEqual([[{ n: 5 }], 'n'])
    const failure = db.transaction(1, (tx) => tx.query(`insert into accounts values (2, 'x', null)`))
    await expect(failure).rejects.toMatchObject({ code: '23502', column: 'amount' })
  })

  it.each([
    [undefined, false, 'read committed', 'off'],
    ['read committed', true, 'read committed', 'on'],
    ['repeatable read', false, 'repeatable read', 'off'],
    ['serializable', true, 'serializable', 'on'],
  ] as const)('of isolation %s and readOnly %s is that', async (isolation, readOnly, level, isReadOnly) => {
    await using db = open()
    const work = async (tx: Transaction): Promise<unknown[]> => [
      (await tx.query('show transaction_isolation')).rows[0],
      (await tx.query('show transaction_read_only')).rows[0],
    ]
    expect(await db.transaction(1, work, { isolation, readOnly })).toEqual([
      { transaction_isolation: level },
      { transaction_read_only: isReadOnly },
    ])
  })

  it('that is read only refuses a put', async () => {
    await using db = open()
    await expect(db.transaction(1, (tx) => tx.put(1, {}), { readOnly: true })).rejects.toMatchObject({
      code: 'HV_STATEMENT_FAILED',
      details: { sqlstate: '25006' },
    })
  })

  it('works in a shard without the column updated', async () => {
    await using databases20 = await createDatabases(1)
    const admin = new Client(databases20.connections[0])
    await admin.connect()
    await createOriginalShards(admin, { first: 20, last: 20, withUpdated: false })
    await admin.end()
    await using db = new Datastore({ connections: [{ ...databases20.connections[0], shards: '20-21' }] })
    const key = await db.put(20, 1, { a: '1' })
    const work = async (tx: Transaction): Promise<void> => {
      expect(await tx.update(key, { set: { b: '1' } })).toEqual({ status: 'changed', updated: null })
      await expect(tx.update(key, { kind: 2 }, { ifUpdatedAt: null })).rejects.toMatchObject({
        code: 'HV_UPDATED_MISSING',
      })
      expect(await tx.delete(key, { ifBody: { a: '1' } })).toMatchObject({ status: 'conflict' })
    }
    await db.transaction(20, work)
    expect(await db.get(key)).toMatchObject({ kind: 1, body: { a: '1', b: '1' } })
  })

  it('makes a put again when the server gives out a key that exists', async () => {
    await using db = open()
    const taken = await db.put(3, 1, { first: 'yes' })
    await onServer((admin) =>
      admin.query(`
        create sequence shard0003.repeats;
        create or replace function shard0003.next_id(out result bigint) language sql volatile as $$
          select case when n <= 3 then ${taken.toString()}::bigint else ${taken.toString()}::bigint + 500 + n end
          from (select nextval('shard0003.repeats') as n) as drawn $$`),
    )
    const key = await db.transaction(3, async (tx) => {
      const second = await tx.put(1, { second: 'yes' })
      await tx.putMany(1, [{}, {}])
      return second
    })
    expect((await db.getMany([taken, key])).map((entity) => entity?.body)).toEqual([
      { first: 'yes' },
      { second: 'yes' },
    ])
    expect(db.stats()[0]?.keyCollisions).toBe(3)
    await onServer((admin) =>
      admin.query(`create or replace function shard0003.next_id(out result bigint) language sql volatile as $$
        select ${taken.toString()}::bigint $$`),
    )
    await expect(db.transaction(3, (tx) => tx.put(1, {}))).rejects.toMatchObject({ code: 'HV_KEY_COLLISION' })
  })
})

describe('a transaction refuses', () => {
  const other = Key.from({ created: new Date(), shardId: 2, addedId: 0 })

  it.each<[string, (tx: Transaction) => Promise<unknown>]>([
    ['get', (tx) => tx.get(other)],
    ['getMany', (tx) => tx.getMany([other])],
    ['exists', (tx) => tx.exists(other)],
    ['update', (tx) => tx.update(other, { set: {} })],
    ['replace', (tx) => tx.replace(other, { body: {} })],
    ['delete', (tx) => tx.delete(other)],
    ['deleteMany', (tx) => tx.deleteMany([other])],
  ])('a key of another shard at once: %s', async (_name, work) => {
    await using db = open()
    await db.transaction(1, async (tx) => {
      await expect(work(tx)).rejects.toMatchObject({
        code: 'HV_SHARD_MISMATCH',
        details: { shardId: 1, keyShardId: 2 },
      })
      await expect(tx.get(5 as never)).rejects.toThrow('get takes a Key')
      await tx.put(1, {})
    })
  })

  it('to be used after its end', async () => {
    await using db = open()
    const kept = await db.transaction(1, (tx) => tx)
    const ended = { code: 'HV_TRANSACTION_ENDED', details: { shardId: 1 } }
    await expect(kept.put(1, {})).rejects.toMatchObject(ended)
    await expect(kept.query('select 1')).rejects.toMatchObject(ended)
    await expect(kept.transaction(() => 1)).rejects.toMatchObject(ended)
    let thrown: Transaction | undefined
    const failure = db.transaction(1, (tx) => {
      thrown = tx
      throw new Error('x')
    })
    await expect(failure).rejects.toThrow('x')
    await expect(thrown?.query('select 1')).rejects.toMatchObject(ended)
  })

  it.each([
    [
      { isolation: 'snapshot' },
      'isolation must be one of read committed, repeatable read, serializable, got "snapshot"',
    ],
    [{ retry: -1 }, 'retry must be an integer from 0 to 1000, got -1'],
    [{ retry: true }, 'retry must be a number, got boolean'],
    [{ timeoutMs: 0 }, 'timeoutMs must be an integer'],
    [{ readOnly: 'yes' }, 'readOnly must be true or false, got string'],
    [{ timeout: 5 }, 'unknown option timeout'],
  ])('the options %o', async (options, message) => {
    await using db = open()
    await expect(db.transaction(1, () => 1, options as never)).rejects.toThrow(message)
    await expect(db.transaction(1, undefined as never)).rejects.toThrow('work must be a function')
    expect(db.stats()[0]?.created).toBe(0)
  })

  it.each(['begin', 'commit', 'rollback', 'commit and chain', 'select 1; commit; begin', 'abort; begin'])(
    'a text that begins or ends one, and goes on: %s',
    async (text) => {
      await using db = open()
      let key: Key | undefined
      const failure = db.transaction(1, async (tx) => {
        key = await tx.put(1, {})
        await expect(tx.query(text)).rejects.toMatchObject({ code: 'HV_STATEMENT_REFUSED', details: { shardId: 1 } })
        expect(await tx.exists(key)).toBe(true)
        throw new Error('no more')
      })
      await expect(failure).rejects.toThrow('no more')
      expect(await db.exists(key as Key)).toBe(false)
    },
  )

  it('to go on after a text that has ended it without looking like that', async () => {
    await using db = open()
    const ended = { code: 'HV_TRANSACTION_ENDED' }
    const failure = db.transaction(1, async (tx) => {
      await tx.query('set local standard_conforming_strings to off')
      await tx.query(String.raw`select '\''; commit; select ''`).catch(() => undefined)
      await expect(tx.put(1, {})).rejects.toMatchObject(ended)
    })
    await expect(failure).rejects.toMatchObject(ended)
  })
})

describe('a failed statement', () => {
  it('whose error is swallowed does not let the transaction pass for committed', async () => {
    await using db = open()
    let key: Key | undefined
    const failure = db.transaction(1, async (tx) => {
      key = await tx.put(1, {})
      await tx.query('select 1/0').catch(() => undefined)
      return 'done'
    })
    await expect(failure).rejects.toMatchObject({
      code: 'HV_TRANSACTION_ABORTED',
      details: { shardId: 1, serverId: 's1', sqlstate: '22012' },
      cause: { code: '22012' },
    })
    expect(await db.get(key as Key)).toBeUndefined()
  })

  it('of the commit is a definite failure', async () => {
    await using db = open()
    const failure = db.transaction(1, (tx) => tx.query('insert into children values (77)'))
    await expect(failure).rejects.toMatchObject({ code: 'HV_STATEMENT_FAILED', details: { sqlstate: '23503' } })
    expect(db.stats()[0]).toMatchObject({ lent: 0, idle: 1 })
  })

  it('in a nested transaction undoes that one only', async () => {
    await using db = open()
    const [outer, inner, after] = await db.transaction(1, async (tx) => {
      const outer = await tx.put(1, { at: 'outer' })
      let inner: Key | undefined
      const failure = tx.transaction(async (nested) => {
        inner = await nested.put(1, { at: 'inner' })
        await nested.query('select 1/0')
      })
      await expect(failure).rejects.toMatchObject({ code: '22012' })
      return [outer, inner as unknown as Key, await tx.put(1, { at: 'after' })]
    })
    expect((await db.getMany([outer, inner, after])).map((entity) => entity?.body.at)).toEqual([
      'outer',
      undefined,
      'after',
    ])
  })

  it('swallowed in a nested transaction undoes that one, and says so', async () => {
    await using db = open()
    await db.transaction(1, async (tx) => {
      const failure = tx.transaction(async (nested) => {
        await nested.query('select 1/0').catch(() => undefined)
      })
      await expect(failure).rejects.toMatchObject({ code: 'HV_TRANSACTION_ABORTED' })
      await tx.put(1, {})
    })
  })
})

describe('a nested transaction', () => {
  it('stays when it returns, in any depth', async () => {
    await using db = open()
    const keys = await db.transaction(1, (tx) =>
      tx.transaction(async (a) => [
        await a.put(1, { n: '1' }),
        await a.transaction((b) => b.transaction((c) => c.put(1, { n: '2' }))),
      ]),
    )
    expect((await db.getMany(keys)).map((entity) => entity?.body.n)).toEqual(['1', '2'])
  })

  it('keeps the outer one from being used, which could be undone with it', async () => {
    await using db = open()
    await db.transaction(1, async (tx) => {
      const busy = { code: 'HV_TRANSACTION_BUSY', details: { shardId: 1 } }
      await tx.transaction(async (nested) => {
        await expect(tx.put(1, {})).rejects.toMatchObject(busy)
        await expect(tx.transaction(() => 1)).rejects.toMatchObject(busy)
        await nested.put(1, {})
      })
      await tx.put(1, {})
    })
  })

  it('cannot be used after its end', async () => {
    await using db = open()
    await db.transaction(1, async (tx) => {
      const kept = await tx.transaction((nested) => nested)
      await expect(kept.put(1, {})).rejects.toMatchObject({ code: 'HV_TRANSACTION_ENDED' })
    })
  })
})

describe('what the work does not await', () => {
  it('is finished before the commit', async () => {
    await using db = open()
    const left: Promise<unknown>[] = []
    await db.transaction(2, async (tx) => {
      await tx.query('delete from accounts')
      left.push(
        tx.query('select pg_sleep(0.05)'),
        tx.putMany(
          9,
          Array.from({ length: 6_000 }, () => ({})),
        ),
        tx.transaction((nested) => nested.query(`insert into accounts values (1, 'nested', 0)`)),
      )
    })
    expect(await db.find(2, { kind: 9, limit: 10_000 })).toHaveLength(6_000)
    const { rows } = await db.transaction(2, (tx) => tx.query('select owner from accounts'))
    expect(rows).toEqual([{ owner: 'nested' }])
    await Promise.all(left)
  })

  it('leaves nothing when the work throws meanwhile', async () => {
    await using db = open()
    let left: Promise<unknown> = Promise.resolve()
    const failure = db.transaction(4, async (tx) => {
      const many = Array.from({ length: 12_000 }, () => ({}))
      left = Promise.allSettled([tx.putMany(1, many), tx.put(1, {}), tx.transaction((nested) => nested.put(1, {}))])
      await tx.put(1, {}).catch(() => undefined)
      throw new Error('x')
    })
    await expect(failure).rejects.toThrow('x')
    await left
    expect(await db.find(4)).toEqual([])
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
  })
})

describe('a transaction that came in the way of another one', () => {
  /** Two increments that read before they write, and meet in between. */
  async function increment(db: Datastore, retry?: number | false): Promise<{ attempts: number; outcome: unknown }> {
    const key = await db.put(1, 1, { n: '0' })
    let attempts = 0
    const outcome = await db
      .transaction(
        1,
        async (tx) => {
          attempts += 1
          const n = Number((await tx.get(key))?.body.n)
          if (attempts === 1) await db.update(key, { set: { n: '10' } })
          await tx.update(key, { set: { n: String(n + 1) } })
        },
        { isolation: 'repeatable read', retry },
      )
      .then(
        async () => (await db.get(key))?.body,
        (error: unknown) => error,
      )
    return { attempts, outcome }
  }

  it('is run again', async () => {
    await using db = open()
    expect(await increment(db)).toEqual({ attempts: 2, outcome: { n: '11' } })
    expect(await increment(db, 1)).toEqual({ attempts: 2, outcome: { n: '11' } })
  })

  it.each([[false], [0]] as const)('is not run again with retry: %s', async (retry) => {
    await using db = open()
    expect(await increment(db, retry)).toMatchObject({
      attempts: 1,
      outcome: { code: 'HV_STATEMENT_FAILED', details: { sqlstate: '40001' } },
    })
  })

  it('is run again also when the work has wrapped or swallowed the error, so often and no more', async () => {
    await using db = open()
    const refuse = (tx: Transaction): Promise<unknown> =>
      tx.query(`do $$ begin raise exception 'no' using errcode = '40P01'; end $$`)
    for (const work of [
      async (tx: Transaction) => {
        await refuse(tx).catch(() => undefined)
      },
      async (tx: Transaction) => {
        await refuse(tx).catch((cause: unknown) => {
          throw new Error('wrapped', { cause })
        })
      },
    ]) {
      let attempts = 0
      const failure = db.transaction(1, (tx) => ((attempts += 1), work(tx)), { retry: 2 })
      await expect(failure).rejects.toMatchObject({ cause: { code: '40P01' } })
      expect(attempts).toBe(3)
    }
  })

  it('is not run again for an error of the work after a nested transaction was given up', async () => {
    await using db = open()
    let attempts = 0
    const failure = db.transaction(1, async (tx) => {
      attempts += 1
      await tx
        .transaction((nested) => nested.query(`do $$ begin raise exception 'no' using errcode = '40001'; end $$`))
        .catch(() => undefined)
      throw new Error('mine')
    })
    await expect(failure).rejects.toThrow('mine')
    expect(attempts).toBe(1)
  })

  it('in a circle is freed by the server, and both are done', async () => {
    await using db = open()
    const [a, b] = (await db.putMany(1, 1, [{ n: '0' }, { n: '0' }])) as [Key, Key]
    let arrived = 0
    const cross = (first: Key, second: Key): Promise<void> =>
      db.transaction(1, async (tx) => {
        await tx.update(first, { set: { n: '1' } })
        arrived += 1
        await until('both have one', () => arrived >= 2)
        await tx.update(second, { set: { n: '1' } })
      })
    await Promise.all([cross(a, b), cross(b, a)])
    expect(arrived).toBe(3)
  })
})

describe('a transaction that takes too long', () => {
  it('is cut, also on the server, and nothing is written', async () => {
    await using db = open()
    let key: Key | undefined
    const failure = db.transaction(
      1,
      async (tx) => {
        key = await tx.put(1, {})
        await tx.query('select pg_sleep(600)')
      },
      { timeoutMs: 500 },
    )
    await expect(failure).rejects.toMatchObject({
      code: 'HV_TRANSACTION_TIMEOUT',
      details: { shardId: 1, timeoutMs: 500 },
    })
    expect(await db.get(key as Key)).toBeUndefined()
    await untilQuiet()
    expect(db.stats()[0]).toMatchObject({ lent: expect.any(Number) as number })
  })

  it('in work of its own, or waiting for a connection, rejects all the same', async () => {
    await using db = open({ poolMax: 1 })
    const timeout = { code: 'HV_TRANSACTION_TIMEOUT' }
    const never = db.transaction(1, () => new Promise(() => undefined), { timeoutMs: 400 })
    const waiting = db.transaction(1, () => 1, { timeoutMs: 20 })
    await expect(waiting).rejects.toMatchObject(timeout)
    await expect(never).rejects.toMatchObject(timeout)
    expect(await db.transaction(1, () => 1)).toBe(1)
  })

  it('ends with the reason of its signal', async () => {
    await using db = open()
    const controller = new AbortController()
    await onServer(async (holder) => {
      await holder.query('begin; lock table shard0001.entities in access exclusive mode')
      const failure = expect(db.transaction(1, (tx) => tx.put(1, {}), { signal: controller.signal })).rejects.toThrow(
        'enough',
      )
      await untilBusy()
      controller.abort(new Error('enough'))
      await failure
      await untilQuiet()
      await holder.query('rollback')
    })
    expect(db.stats()[0]).toMatchObject({ lent: 0 })
    await expect(db.transaction(1, () => 1, { signal: controller.signal })).rejects.toThrow('enough')
  })
})

describe('a transaction whose connection ends', () => {
  it('before the commit has written nothing, and says HV_CONNECTION_LOST', async () => {
    await using db = open()
    let key: Key | undefined
    const failure = db.transaction(1, async (tx) => {
      key = await tx.put(1, {})
      await killOthers()
      await tx.put(1, {})
    })
    await expect(failure).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST' })
    expect(await db.get(key as Key)).toBeUndefined()
    const query = db.transaction(1, async (tx) => {
      await Promise.all([tx.query('select pg_sleep(600)'), untilBusy().then(killOthers)])
    })
    await expect(query).rejects.toMatchObject({ code: '57P01' })
  })

  it('between the last statement and the commit has provably written nothing', async () => {
    await using db = open()
    const failure = db.transaction(1, async (tx) => {
      await tx.put(1, {})
      await killOthers()
      await until('the end is known', () => db.stats()[0]?.destroyed !== 0)
    })
    await expect(failure).rejects.toMatchObject({ code: 'HV_CONNECTION_LOST' })
  })

  /** A commit that takes long: a deferred trigger waits for a lock. */
  const slowCommit = `
    create table shard0001.slow (n int);
    create function shard0001.wait() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(4711); return null; end $$;
    create constraint trigger slow after insert on shard0001.slow deferrable initially deferred
      for each row execute function shard0001.wait()`

  it('in the commit is HV_COMMIT_UNKNOWN', async () => {
    await onServer((admin) => admin.query(slowCommit))
    await using db = open()
    await onServer(async (holder) => {
      await holder.query('select pg_advisory_lock(4711)')
      const write = (options = {}): Promise<unknown> =>
        db.transaction(1, (tx) => tx.query('insert into slow values (1)').then(() => undefined), options)
      const killed = expect(write()).rejects.toMatchObject({
        code: 'HV_COMMIT_UNKNOWN',
        details: { shardId: 1, serverId: 's1', sqlstate: '57P01' },
        retryable: false,
      })
      await untilBusy()
      await onServer((admin) =>
        admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where wait_event = 'advisory' and datname = current_database()`,
        ),
      )
      await killed
      await expect(write({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'HV_COMMIT_UNKNOWN' })
      await untilQuiet()
    })
  })
})
