import { getEventListeners } from 'node:events'
import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  Datastore,
  isHypervaultError,
  remainingRows,
  type Body,
  type ConnectionEntry,
  type DatastoreOptions,
  type ErrorDetails,
  type Key,
  type LoadProgress,
  type RowRange,
} from '../../src/index.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { startSilentServer } from '../support/silent-server.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

/** Shards 1 to 4 on the first server, 5 to 8 on the second. */
beforeAll(async () => {
  databases = await createDatabases(2)
  connections = databases.connections.map((connection, index) => ({
    ...connection,
    shards: index === 0 ? '1-5' : '5-9',
  }))
  await provision(connections)
})
afterAll(() => databases.drop())
afterEach(async () => {
  for (const shardId of shardIds) await onServer(shardId, `truncate ${tableOf(shardId)}`)
})

const shardIds = [1, 2, 3, 4, 5, 6, 7, 8]

const shardOf = (_body: Body, row: number): number => (row % 8) + 1

const tableOf = (shardId: number): string => `shard000${shardId}.entities`

function open(options: Partial<DatastoreOptions> = {}): Datastore {
  return new Datastore({ connections, ...options })
}

async function onServer<T extends object>(shardId: number, sql: string): Promise<T[]> {
  const admin = new Client(databases.connections[shardId < 5 ? 0 : 1])
  await admin.connect()
  try {
    return (await admin.query<T>(sql)).rows
  } finally {
    await admin.end()
  }
}

/** The field `n` of all rows there are, in order: what was loaded, each once. */
async function storedNumbers(): Promise<number[]> {
  const lists = await Promise.all(
    shardIds.map((shardId) =>
      onServer<{ n: number }>(shardId, `select (body -> 'n')::int as n from ${tableOf(shardId)}`),
    ),
  )
  return lists
    .flat()
    .map(({ n }) => n)
    .sort((a, b) => a - b)
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

function* rowsTo(count: number): Generator<{ n: string }> {
  for (let n = 0; n < count; n += 1) yield { n: String(n) }
}

const rowsIn = (ranges: readonly RowRange[]): number[] =>
  ranges.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, index) => first + index))

/** The failure of a load, and the keys that it gave before. */
async function failureOf(load: AsyncIterable<Key>): Promise<LoadFailed> {
  const keys: Key[] = []
  try {
    for await (const key of load) keys.push(key)
  } catch (error) {
    if (!isHypervaultError(error, 'HV_LOAD_FAILED')) throw error
    const { message, details, cause, hint } = error
    return { message, details, cause, hint, keys }
  }
  throw new Error('the load did not fail')
}

interface LoadFailed {
  readonly message: string
  readonly details: ErrorDetails['HV_LOAD_FAILED']
  readonly cause?: unknown
  readonly hint: string
  readonly keys: readonly Key[]
}

/** Each row that was read is in one of the three lists, and the servers hold what the first says. */
async function expectExact({ details }: LoadFailed): Promise<void> {
  const { rowsRead, stored, notStored, unknown } = details
  const all = [stored, notStored, unknown].flatMap(rowsIn).sort((a, b) => a - b)
  expect(all).toEqual(numbers(rowsRead))
  expect(unknown).toEqual([])
  expect(await storedNumbers()).toEqual(rowsIn(stored))
}

/** Whether a COPY on the first server waits for a lock. */
async function isAnyoneBlocked(): Promise<boolean> {
  const rows = await onServer(
    1,
    `select 1 from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock' and query like 'copy %'`,
  )
  return rows.length > 0
}

async function noneLent(db: Datastore): Promise<void> {
  await until('all connections back', () => db.stats().every(({ lent, waiting }) => lent === 0 && waiting === 0))
}

describe('a load', () => {
  it('gives the keys in the order of the source, on all shards of all servers', async () => {
    await using db = open()
    const keys: Key[] = []
    for await (const key of db.load(3, rowsTo(5_000), { shardOf, batchRows: 100 })) keys.push(key)
    expect(keys.map(({ shardId }) => shardId)).toEqual(numbers(5_000).map((row) => shardOf({}, row)))
    expect(new Set(keys.map(({ id }) => id)).size).toBe(5_000)
    const entities = await db.getMany(keys)
    expect(entities.map((entity) => [entity?.kind, entity?.body.n])).toEqual(numbers(5_000).map((n) => [3, String(n)]))
  })

  it('gives them also in chunks', async () => {
    await using db = open()
    const chunks: Key[][] = []
    for await (const keys of db.load(3, rowsTo(3_000), { shardOf }).chunks()) chunks.push(keys)
    expect(chunks.every(({ length }) => length <= 1_024)).toBe(true)
    const entities = await db.getMany(chunks.flat())
    expect(entities.map((entity) => Number(entity?.body.n))).toEqual(numbers(3_000))
  })

  it('takes an asynchronous source, and one without rows', async () => {
    await using db = open()
    const some = async function* (): AsyncGenerator<Body> {
      for (const row of rowsTo(1_000)) {
        if (row.n === '500') await setImmediate()
        yield row
      }
    }
    expect((await db.load(1, some(), { shardOf }).finish()).rows).toBe(1_000)
    expect((await db.load(1, [], { shardOf }).finish()).rows).toBe(0)
    expect(await storedNumbers()).toEqual(numbers(1_000))
  })

  it('leaves nothing on its signal', async () => {
    await using db = open()
    const { signal } = new AbortController()
    await db.load(1, rowsTo(1_000), { shardOf, signal }).finish()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('holds every body that a put holds', async () => {
    await using db = open()
    const bodies: Body[] = [
      {},
      { a: 'x', b: null, c: '', '': 'empty key' },
      { 'a"b': '=>', 'c\\d': ',"NULL"', NULL: 'NULL' },
      JSON.parse('{"__proto__":"p","constructor":"c","toString":null}') as Body,
      { имя: 'Ярославль', '🏙️': '🌆'.repeat(200_000), long: 'x'.repeat(900_000) },
    ]
    const keys: Key[] = []
    for await (const key of db.load(1, bodies, { shardOf: () => 2 })) keys.push(key)
    expect((await db.getMany(keys)).map((entity) => entity?.body)).toEqual(bodies)
  })

  it('stores a batch in one transaction, of no more rows and bytes than asked for', async () => {
    await using db = open()
    const { batches } = await db.load(1, rowsTo(1_000), { shardOf: () => 1, batchRows: 90 }).finish()
    const each = await onServer<{ rows: number }>(1, `select count(*)::int as rows from ${tableOf(1)} group by xmin`)
    expect(each).toHaveLength(batches)
    expect(Math.max(...each.map(({ rows }) => rows))).toBeLessThanOrEqual(90)
    const bodies = Array.from({ length: 60 }, () => ({ text: 'x'.repeat(10_000) }))
    const large = await db.load(1, bodies, { shardOf: () => 2, batchBytes: 50_000 }).finish()
    expect(large.batches).toBeGreaterThanOrEqual(10)
  })

  it('gets along with one connection, which others want too', async () => {
    await using db = open({ poolMax: 1 })
    const loading = db.load(1, rowsTo(5_000), { shardOf, batchRows: 50, connectionsPerServer: 4 }).finish()
    const puts = numbers(20).map((n) => db.put(1, 1, { n: String(n) }, { batch: n % 2 === 0 }))
    await Promise.all([loading, ...puts])
    expect(await storedNumbers()).toHaveLength(5_020)
  })

  it('warns of nothing on many connections', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): number => warnings.push(warning)
    process.on('warning', onWarning)
    await using db = open()
    await db.load(1, rowsTo(5_000), { shardOf, batchRows: 50, connectionsPerServer: 8 }).finish()
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  it('tells how far it is, and all at the end', async () => {
    await using db = open()
    const told: LoadProgress[] = []
    const options = { shardOf, batchRows: 50, onProgress: (progress: LoadProgress) => told.push(progress) }
    const total = await db.load(1, rowsTo(2_000), options).finish()
    expect(told.at(-1)).toEqual(total)
    expect(total).toMatchObject({ rowsRead: 2_000, rowsDone: 2_000, rows: 2_000, bufferedBytes: 0 })
    expect(total.bytes).toBeGreaterThan(2_000 * 24)
    const rows = told.map((progress) => progress.rows)
    expect(rows).toEqual([...rows].sort((a, b) => a - b))
  })

  it('does not begin before somebody asks, and is done once', async () => {
    await using db = open()
    let asked = 0
    const source = {
      *[Symbol.iterator](): Generator<Body> {
        asked += 1
        yield { n: '0' }
      },
    }
    const load = db.load(1, source, { shardOf })
    await setImmediate()
    expect(asked).toBe(0)
    await load.finish()
    expect(asked).toBe(1)
    await expect(load.finish()).rejects.toThrow(TypeError)
  })

  it('leaves the ids of other shards unshaken when two loads and puts share one shard', async () => {
    await using db = open()
    const loads = [rowsTo(4_000), rowsTo(4_000)].map((rows) => db.load(1, rows, { shardOf: () => 3 }).finish())
    const puts = numbers(300).map((n) => db.put(3, 1, { n: String(n) }))
    await Promise.all([...loads, ...puts])
    expect(await storedNumbers()).toHaveLength(8_300)
  })

  it.each([
    ['options', undefined, TypeError],
    ['shardOf', {}, TypeError],
    ['onProgress', { shardOf, onProgress: 1 }, TypeError],
    ['batchRows', { shardOf, batchRows: 0 }, RangeError],
    ['batchBytes', { shardOf, batchBytes: 1.5 }, RangeError],
    ['windowRows', { shardOf, windowRows: '9' }, TypeError],
    ['batchSize', { shardOf, batchSize: 9 }, TypeError],
  ])('refuses wrong options at the call: %s', async (name, options, type) => {
    await using db = open()
    const call = (): unknown => db.load(1, [], options as never)
    expect(call).toThrow(type)
    expect(call).toThrow(name)
  })

  it.each(['text', 5, null, { length: 1 }])('refuses a source that is none: %s', async (source) => {
    await using db = open()
    expect(() => db.load(1, source as never, { shardOf })).toThrow('source must be an iterable')
    expect(() => db.load(40_000, [], { shardOf })).toThrow('kind')
  })
})

describe('the memory of a load', () => {
  it('is bounded when nobody takes the keys, and when the source is endless', async () => {
    await using db = open()
    let given = 0
    const endless = function* (): Generator<Body> {
      for (;;) yield { n: String(given++) }
    }
    const load = db.load(1, endless(), { shardOf, windowRows: 5_000 })
    const chunks = load.chunks()
    const first = await chunks.next()
    await until('the window is full', () => given >= 5_000)
    await until('all of it is stored', () => load.progress.rows === load.progress.rowsRead)
    const taken = first.value?.length ?? 0
    expect(given - taken).toBeLessThanOrEqual(5_000)
    await chunks.return()
    expect(await storedNumbers()).toEqual(rowsIn(load.account().stored))
  })

  it('is bounded in bytes for many small rows', async () => {
    await using db = open()
    const windowBytes = 1024 * 1024
    let most = 0
    const source = function* (): Generator<Body> {
      for (const row of rowsTo(200_000)) {
        most = Math.max(most, load.progress.bufferedBytes)
        yield row
      }
    }
    const load = db.load(1, source(), { shardOf, windowBytes, windowRows: 1_000_000 })
    expect((await load.finish()).rows).toBe(200_000)
    expect(most).toBeGreaterThan(windowBytes / 4)
    expect(most).toBeLessThanOrEqual(windowBytes + 256 * 1024 + 1024)
  })

  it('is bounded in bytes for large rows', async () => {
    await using db = open()
    const text = 'x'.repeat(300_000)
    let most = 0
    const source = function* (): Generator<Body> {
      for (let row = 0; row < 60; row += 1) {
        most = Math.max(most, load.progress.bufferedBytes)
        yield { n: String(row), text }
      }
    }
    const load = db.load(1, source(), { shardOf, windowBytes: 2_000_000 })
    await load.finish()
    expect(most).toBeLessThanOrEqual(2_000_000 + 3 * 256 * 1024)
    expect(await storedNumbers()).toEqual(numbers(60))
  })

  it('is not filled by what waits for one row whose shard never fills: that comes before fuller ones', async () => {
    await using db = open()
    const lonely = (_body: Body, row: number): number => (row === 0 ? 2 : 1)
    const options = { shardOf: lonely, windowRows: 4_000, batchRows: 100, connectionsPerServer: 1 }
    expect((await db.load(1, rowsTo(20_000), options).finish()).rows).toBe(20_000)
    const [earlier] = await onServer<{ count: number }>(
      1,
      `select count(*)::int from ${tableOf(1)}
       where xmin::text::bigint < (select xmin::text::bigint from ${tableOf(2)}) and (body -> 'n')::int < 4000`,
    )
    expect(earlier?.count).toBeLessThan(3_900)
  })
})

describe('a load that fails', () => {
  it.each([
    ['a body that is none', { n: 7 } as never, 'body.n must be a string or null, got number'],
    ['text that hstore cannot hold', { n: 'a\0' }, 'body.n must not contain NUL'],
  ])('names the row of %s, and says what is stored', async (_what, bad, words) => {
    await using db = open()
    const rows = [...rowsTo(3_000)]
    rows[2_345] = bad
    const failed = await failureOf(db.load(1, rows, { shardOf, batchRows: 100 }))
    expect(failed.details.row).toBe(2_345)
    expect(failed.message).toContain('at row 2345')
    expect(failed.message).toContain(words)
    await expectExact(failed)
    await noneLent(db)
  })

  it('names the row of a shard that there is not, and the one at which the source or shardOf failed', async () => {
    await using db = open()
    const wrong = await failureOf(db.load(1, rowsTo(10), { shardOf: (_body, row) => (row === 4 ? 99 : 1) }))
    expect(wrong.details.row).toBe(4)
    expect(isHypervaultError(wrong.cause, 'HV_SHARD_UNKNOWN')).toBe(true)

    const secret = new Error('the value was hunter2')
    const thrower = (_body: Body, row: number): number => {
      if (row === 6) throw secret
      return 1
    }
    const thrown = await failureOf(db.load(1, rowsTo(10), { shardOf: thrower }))
    expect([thrown.details.row, thrown.cause]).toEqual([6, secret])
    expect(thrown.message).not.toContain('hunter2')

    const source = async function* (): AsyncGenerator<Body> {
      yield* rowsTo(5)
      await setImmediate()
      throw secret
    }
    const broken = await failureOf(db.load(1, source(), { shardOf }))
    expect([broken.details.row, broken.details.rowsRead, broken.cause]).toEqual([5, 5, secret])
  })

  it('names the row that a server refuses, and keeps nothing of its batch', async () => {
    await using db = open()
    await onServer(3, `alter table ${tableOf(3)} add constraint not_99 check (body -> 'n' <> '1994')`)
    try {
      const failed = await failureOf(db.load(1, rowsTo(4_000), { shardOf, batchRows: 50 }))
      expect(failed.details.row).toBe(1_994)
      expect(failed.cause).toMatchObject({ code: 'HV_STATEMENT_FAILED', details: { shardId: 3, sqlstate: '23514' } })
      await expectExact(failed)
    } finally {
      await onServer(3, `alter table ${tableOf(3)} drop constraint not_99`)
    }
  })

  it('goes on with what is left: each row is there once at the end', async () => {
    await using db = open()
    const shard = (body: Body): number => (Number(body.n) % 8) + 1
    await onServer(6, `alter table ${tableOf(6)} add constraint small check ((body -> 'n')::int < 2500)`)
    const failed = await failureOf(db.load(1, rowsTo(6_000), { shardOf: shard, batchRows: 64, windowRows: 2_000 }))
    await expectExact(failed)
    expect(failed.details.stored.length).toBeGreaterThan(1)
    await onServer(6, `alter table ${tableOf(6)} drop constraint small`)
    await db.load(1, remainingRows(rowsTo(6_000), failed.details), { shardOf: shard }).finish()
    expect(await storedNumbers()).toEqual(numbers(6_000))
  })

  it('still tells the keys of rows that are stored behind the failure', async () => {
    await using db = open()
    await onServer(6, `alter table ${tableOf(6)} add constraint small check ((body -> 'n')::int < 500)`)
    try {
      const load = db.load(1, rowsTo(3_000), { shardOf, batchRows: 64 })
      const { keys, details } = await failureOf(load)
      const others = [...load.untaken()]
      expect([...keys.keys(), ...others.map(([row]) => row)]).toEqual(rowsIn(details.stored))
      const entities = await db.getMany(others.map(([, key]) => key))
      expect(entities.map((entity) => Number(entity?.body.n))).toEqual(others.map(([row]) => row))
    } finally {
      await onServer(6, `alter table ${tableOf(6)} drop constraint small`)
    }
  })

  it('begins no batch afterwards, and ends what it has begun', async () => {
    await using db = open()
    await using blocker = await open().getConnection(2)
    await blocker.query(`begin; lock table ${tableOf(2)} in exclusive mode`)
    const source = async function* (): AsyncGenerator<Body> {
      yield* rowsTo(500)
      await until('a batch waits for the lock', () => isAnyoneBlocked())
      yield { n: 5 } as never
    }
    const load = db.load(1, source(), { shardOf: () => 2, batchRows: 100 })
    const failing = failureOf(load)
    await until('the bad body is read', () => load.progress.rowsRead === 501)
    await blocker.query('rollback')
    const failed = await failing
    expect(failed.details.stored).toEqual([{ first: 0, end: 100 }])
    await expectExact(failed)
  })

  it('because a server is down says so, and what the others have stored', async () => {
    await using silent = await startSilentServer()
    const [first, second] = connections as [ConnectionEntry, ConnectionEntry]
    const down = { ...second, host: '127.0.0.1', port: silent.port }
    await using db = new Datastore({ connections: [first, down], poolBlockTimeoutMs: 300, disconnectTimeoutMs: 50 })
    const failed = await failureOf(db.load(1, rowsTo(2_000), { shardOf, batchRows: 50 }))
    expect(failed.cause).toMatchObject({
      code: 'HV_POOL_TIMEOUT',
      details: { serverId: db.topology.getServer(5).serverId },
    })
    await expectExact(failed)
    expect(rowsIn(failed.details.stored).length).toBeGreaterThan(0)
    await db.disconnect()
    await using all = open()
    await all
      .load(1, remainingRows(rowsTo(2_000), failed.details), { shardOf: (body) => (Number(body.n) % 8) + 1 })
      .finish()
    expect(await storedNumbers()).toEqual(numbers(2_000))
  })

  it('because the datastore is closed ends soon', async () => {
    const db = open()
    const load = db.load(1, slowRows(), { shardOf })
    const failing = failureOf(load)
    await until('rows are stored', () => load.progress.rows > 100)
    await db.disconnect()
    const failed = await failing
    expect(failed.cause).toMatchObject({ code: 'HV_CLOSED' })
    await expectExact(failed)
  })

  it('because onProgress throws ends with that', async () => {
    await using db = open()
    const reason = new Error('enough')
    const onProgress = (): never => {
      throw reason
    }
    const failed = await failureOf(db.load(1, rowsTo(2_000), { shardOf, onProgress }))
    expect(failed.cause).toBe(reason)
    await expectExact(failed)
  })
})

/** Rows without end, with pauses in which others have their turn. */
async function* slowRows(): AsyncGenerator<Body> {
  for (let n = 0; ; n += 1) {
    if (n % 50 === 0) await delay(1)
    yield { n: String(n) }
  }
}

describe('a load that is ended early', () => {
  it('by break frees everything, and tells what is stored', async () => {
    await using db = open()
    let isClosed = false
    const source = async function* (): AsyncGenerator<Body> {
      try {
        yield* slowRows()
      } finally {
        isClosed = true
      }
    }
    const load = db.load(1, source(), { shardOf, batchRows: 50 })
    let count = 0
    for await (const key of load) {
      expect(key.shardId).toBe((count % 8) + 1)
      if (++count === 1_000) break
    }
    await until('the source is closed', () => isClosed)
    expect(db.stats().map(({ lent, waiting }) => [lent, waiting])).toEqual([
      [0, 0],
      [0, 0],
    ])
    expect(await storedNumbers()).toEqual(rowsIn(load.account().stored))
    expect(load.account().rowsRead).toBeGreaterThanOrEqual(1_000)
  })

  it('by its signal ends with the reason, also while the source hangs', async () => {
    await using db = open()
    const abort = new AbortController()
    const source = async function* (): AsyncGenerator<Body> {
      yield* rowsTo(200)
      await new Promise(() => undefined)
    }
    const load = db.load(1, source(), { shardOf, signal: abort.signal })
    const failing = failureOf(load)
    await until('rows are stored', () => load.progress.rows === 200)
    const reason = new Error('no longer wanted')
    abort.abort(reason)
    const failed = await failing
    expect(failed.cause).toBe(reason)
    expect(failed.details.stored).toEqual([{ first: 0, end: 200 }])
    await expectExact(failed)
    await noneLent(db)
  })

  it('by a signal that is aborted before reads nothing', async () => {
    await using db = open()
    const failed = await failureOf(db.load(1, rowsTo(5), { shardOf, signal: AbortSignal.abort('late') }))
    expect(failed.details).toMatchObject({ rowsRead: 0, stored: [] })
    expect(failed.cause).toBe('late')
  })

  it('by its signal cuts a batch that waits for a lock, of which nothing is stored', async () => {
    await using db = open()
    await using blocker = await open().getConnection(2)
    await blocker.query(`begin; lock table ${tableOf(2)} in exclusive mode`)
    const abort = new AbortController()
    const failing = failureOf(db.load(1, rowsTo(400), { shardOf: () => 2, signal: abort.signal }))
    await until('it waits for the lock', () => isAnyoneBlocked())
    abort.abort()
    const failed = await failing
    expect(failed.cause).toBe(abort.signal.reason)
    expect(getEventListeners(abort.signal, 'abort')).toEqual([])
    expect(failed.details.stored).toEqual([])
    await blocker.query('rollback')
    await expectExact(failed)
    await noneLent(db)
  })

  it('by its signal during a commit asks the server how that ended', async () => {
    await using db = open()
    await onServer(
      2,
      `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.4); return null; end'`,
    )
    await onServer(
      2,
      `create constraint trigger slow after insert on ${tableOf(2)} deferrable initially deferred
       for each row when (new.body -> 'n' = '0') execute function slow()`,
    )
    try {
      const abort = new AbortController()
      const failing = failureOf(db.load(1, rowsTo(200), { shardOf: () => 2, signal: abort.signal }))
      const commits = `select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query = 'commit'`
      await until('it commits', async () => (await onServer(2, commits)).length > 0)
      abort.abort()
      await expectExact(await failing)
      await noneLent(db)
    } finally {
      await onServer(2, `drop trigger slow on ${tableOf(2)}; drop function slow()`)
    }
  })

  it('by disposing of it, begun or not', async () => {
    await using db = open()
    {
      await using load = db.load(1, slowRows(), { shardOf })
      const keys = load.chunks()
      await keys.next()
    }
    {
      await using _never = db.load(1, slowRows(), { shardOf })
    }
    await noneLent(db)
  })
})

describe('a connection that is lost', () => {
  const killOne = (sql: string): Promise<object[]> =>
    onServer(
      1,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and query ${sql}`,
    )

  it('before the commit is no failure: the batch is stored on another one', async () => {
    await using db = open()
    await using blocker = await open().getConnection(2)
    await blocker.query(`begin; lock table ${tableOf(2)} in exclusive mode`)
    const loading = db.load(1, rowsTo(300), { shardOf: () => 2 }).finish()
    await until('it waits for the lock', async () => (await killOne("like 'copy %'")).length > 0)
    await blocker.query('rollback')
    expect((await loading).rows).toBe(300)
    expect(await storedNumbers()).toEqual(numbers(300))
  })

  it('during the commit, which the server then did not do, is no failure', async () => {
    await using db = open()
    await onServer(
      2,
      `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.4); return null; end'`,
    )
    await onServer(
      2,
      `create constraint trigger slow after insert on ${tableOf(2)} deferrable initially deferred
       for each row when (new.body -> 'n' = '0') execute function slow()`,
    )
    try {
      const loading = db.load(1, rowsTo(300), { shardOf: () => 2 }).finish()
      await until('it commits', async () => (await killOne("= 'commit'")).length > 0)
      expect((await loading).rows).toBe(300)
      expect(await storedNumbers()).toEqual(numbers(300))
    } finally {
      await onServer(2, `drop trigger slow on ${tableOf(2)}; drop function slow()`)
    }
  })

  it('during the commit, which the server did, is no failure either: nothing is stored again', async () => {
    await using proxy = await startCuttingProxy(databases.connections[0] as ServerConnection)
    await using db = openBy(proxy)
    proxy.cutAnswerTo('commit')
    const keys: Key[] = []
    for await (const key of db.load(1, rowsTo(2_000), { shardOf, batchRows: 100 })) keys.push(key)
    expect(await storedNumbers()).toEqual(numbers(2_000))
    expect((await db.getMany(keys)).map((entity) => Number(entity?.body.n))).toEqual(numbers(2_000))
  })

  it('during the commit, and nobody can be asked, leaves its rows unknown', async () => {
    await using proxy = await startCuttingProxy(databases.connections[0] as ServerConnection)
    await using db = openBy(proxy)
    proxy.refuseAfterCut()
    proxy.cutAnswerTo('commit')
    const failed = await failureOf(db.load(1, rowsTo(100), { shardOf: () => 2 }))
    expect(failed.cause).toMatchObject({ code: 'HV_OUTCOME_UNKNOWN', details: { shardId: 2 } })
    expect(failed.details).toEqual({ rowsRead: 100, stored: [], notStored: [], unknown: [{ first: 0, end: 100 }] })
    // They were committed, so whoever looks sees that they are to be skipped.
    expect(await storedNumbers()).toEqual(numbers(100))
  })
})

function openBy({ port }: { port: number }): Datastore {
  const [first, second] = connections as [ConnectionEntry, ConnectionEntry]
  return new Datastore({ connections: [{ ...first, port }, second] })
}

describe('what remains', () => {
  const account = {
    stored: [
      { first: 0, end: 2 },
      { first: 5, end: 6 },
    ],
    unknown: [{ first: 3, end: 4 }],
  }
  const collect = async (rows: AsyncIterable<{ n: string }>): Promise<number[]> => {
    const found: number[] = []
    for await (const { n } of rows) found.push(Number(n))
    return found
  }

  it('is what is not stored; of the unknown what the caller says', async () => {
    expect(await collect(remainingRows(rowsTo(8), account, { unknown: 'skip' }))).toEqual([2, 4, 6, 7])
    expect(await collect(remainingRows(rowsTo(8), account, { unknown: 'again' }))).toEqual([2, 3, 4, 6, 7])
    expect(await collect(remainingRows(rowsTo(8), { ...account, unknown: [] }))).toEqual([2, 3, 4, 6, 7])
  })

  it('is refused when there are unknown rows and nothing is said', () => {
    expect(() => remainingRows(rowsTo(8), account)).toThrow(RangeError)
    expect(() => remainingRows(rowsTo(8), account, { unknown: 'maybe' as never })).toThrow(TypeError)
  })
})
