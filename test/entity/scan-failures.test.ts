import { getEventListeners } from 'node:events'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Datastore,
  isHypervaultError,
  type ConnectionEntry,
  type Entity,
  type ScanOptions,
  type ScanPage,
} from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: [ConnectionEntry, ConnectionEntry]
let admins: Client[]
let db: Datastore

/** The numbers of all entities in their order; the shards take turns, 0 … 7 on one server and 8 … 15 on the other. */
const all = Array.from({ length: 800 }, (_, n) => n)
const isFirst = (n: number): boolean => n % 16 < 8

beforeAll(async () => {
  databases = await createDatabases(2)
  const [one, two] = databases.connections as [ConnectionEntry, ConnectionEntry]
  connections = [
    { ...one, shards: '0-8' },
    { ...two, shards: '8-16' },
  ]
  await provision(connections)
  admins = databases.connections.map((connection) => new Client(connection))
  await Promise.all(admins.map((admin) => admin.connect()))
  for (let shardId = 0; shardId < 16; shardId += 1) {
    const schema = `shard${String(shardId).padStart(4, '0')}`
    await admins[shardId < 8 ? 0 : 1]!.query(
      `insert into ${schema}.entities (id, type, body)
        select (1000000 + n)::bigint << 23 | ${shardId << 10}, 1, hstore('n', n::text)
        from generate_series(${shardId}, 799, 16) as n`,
    )
  }
  db = new Datastore({ connections })
})
afterAll(async () => {
  await db.disconnect()
  await Promise.all(admins.map((admin) => admin.end()))
  await databases.drop()
})

const numberOf = ({ body }: Entity): number => Number(body.n)
const numbersOf = (pages: readonly ScanPage[]): number[] => pages.flatMap(({ entities }) => entities.map(numberOf))
const isAtRest = (store: Datastore): boolean =>
  store.stats().every(({ lent, connecting, waiting }) => lent + connecting + waiting === 0)

async function pagesOf(store: Datastore, options: ScanOptions): Promise<ScanPage[]> {
  const pages: ScanPage[] = []
  for await (const page of store.scan(options).pages()) pages.push(page)
  return pages
}

/** The second server behind a port that nobody listens at. */
const halfDown = (): Datastore => new Datastore({ connections: [connections[0], { ...connections[1], port: 1 }] })

describe('when a server is down', () => {
  it('a scan fails, without an entity, and leaves nothing behind', async () => {
    await using broken = halfDown()
    await expect(pagesOf(broken, {})).rejects.toMatchObject({ code: 'HV_CONNECT_FAILED', details: { serverId: 's2' } })
    expect(isAtRest(broken)).toBe(true)
  })

  it('a scan that skips names its shards in each page, and goes on with all of them when it is up', async () => {
    await using broken = halfDown()
    const scan = broken.scan({ pageSize: 150, onShardError: 'skip' })
    const pages: ScanPage[] = []
    for await (const page of scan.pages()) pages.push(page)
    expect(numbersOf(pages)).toEqual(all.filter(isFirst))
    const missing = [8, 9, 10, 11, 12, 13, 14, 15].map((shardId) => ({ shardId, serverId: 's2' }))
    for (const { missingShards } of pages) expect(missingShards).toMatchObject(missing)
    expect(scan.missingShards).toMatchObject(missing)
    expect(scan.missingShards.every(({ error }) => isHypervaultError(error, 'HV_CONNECT_FAILED'))).toBe(true)
    expect(pages.at(-1)?.hasMore).toBe(false)
    const again = await pagesOf(broken, { after: pages[0]!.cursor, onShardError: 'skip' })
    expect(numbersOf(again)).toEqual(all.filter(isFirst).slice(150))
    const rest = await pagesOf(db, { after: again.at(-1)!.cursor })
    expect(numbersOf(rest)).toEqual(all.filter((n) => !isFirst(n)))
    expect(rest.at(-1)?.missingShards).toEqual([])
  })

  it.each(['asc', 'desc'] as const)('in the middle of a scan (%s), nothing is lost or given twice', async (order) => {
    const { host, port } = connections[1] as { host: string; port: number }
    await using proxy = await startCuttingProxy({ host, port })
    await using frail = new Datastore({ connections: [connections[0], { ...connections[1], port: proxy.port }] })
    const options = { order, pageSize: 50 }
    const pages: ScanPage[] = []
    for await (const page of frail.scan({ ...options, onShardError: 'skip' }).pages()) {
      if (pages.push(page) === 3) {
        proxy.refuseAfterCut()
        proxy.cutAnswerTo('')
      }
    }
    expect(pages[2]?.missingShards).toEqual([])
    expect(pages.at(-1)?.missingShards.map(({ shardId }) => shardId)).toEqual([8, 9, 10, 11, 12, 13, 14, 15])
    const sorted = numbersOf(pages).sort((a, b) => (order === 'asc' ? a - b : b - a))
    expect(numbersOf(pages)).toEqual(sorted)
    const rest = await pagesOf(db, { ...options, after: pages.at(-1)!.cursor })
    expect([...numbersOf(pages), ...numbersOf(rest)].sort((a, b) => a - b)).toEqual(all)
  })

  it('what comes before is given first, and the cursor of the last page goes on', async () => {
    const { host, port } = connections[1] as { host: string; port: number }
    await using proxy = await startCuttingProxy({ host, port })
    await using frail = new Datastore({ connections: [connections[0], { ...connections[1], port: proxy.port }] })
    const pages: ScanPage[] = []
    const scanning = (async () => {
      for await (const page of frail.scan({ pageSize: 50 }).pages()) {
        if (pages.push(page) === 3) {
          proxy.refuseAfterCut()
          proxy.cutAnswerTo('')
        }
      }
    })()
    await expect(scanning).rejects.toMatchObject({ code: expect.stringMatching(/^HV_CONNECT/) as string })
    const given = numbersOf(pages)
    expect(given).toEqual(all.slice(0, given.length))
    const rest = await pagesOf(db, { after: pages.at(-1)!.cursor })
    expect(numbersOf(rest)).toEqual(all.slice(given.length))
  })
})

describe('when one shard of many cannot be read', () => {
  it('because it is not there, a scan says which, and skips only that one', async () => {
    await using wide = new Datastore({ connections: [{ ...connections[0], shards: '0-9' }] })
    await expect(pagesOf(wide, {})).rejects.toMatchObject({ code: 'HV_SHARD_MISSING', details: { shardId: 8 } })
    const pages = await pagesOf(wide, { onShardError: 'skip', order: 'desc' })
    expect(numbersOf(pages)).toEqual(all.filter(isFirst).reverse())
    expect(pages[0]?.missingShards).toMatchObject([{ shardId: 8, serverId: 's1', error: { code: 'HV_SHARD_MISSING' } }])
  })

  it('because it is forbidden, a scan says which, and skips only that one', async () => {
    const admin = admins[0]!
    await admin.query(`create role hv_scanner login password 'x'; grant usage on schema public to hv_scanner`)
    const schemas = [0, 1, 2, 3, 4, 5, 6, 7].map((shardId) => `shard000${shardId}`)
    await admin.query(`grant usage on schema ${schemas.join(', ')} to hv_scanner`)
    const tables = schemas.filter((_, shardId) => shardId !== 5).map((schema) => `${schema}.entities`)
    await admin.query(`grant select on ${tables.join(', ')} to hv_scanner`)
    await using limited = new Datastore({ connections: [{ ...connections[0], user: 'hv_scanner', password: 'x' }] })
    await expect(pagesOf(limited, {})).rejects.toMatchObject({
      code: 'HV_STATEMENT_FAILED',
      details: { shardId: 5, sqlstate: '42501' },
    })
    const pages = await pagesOf(limited, { onShardError: 'skip' })
    expect(numbersOf(pages)).toEqual(all.filter((n) => isFirst(n) && n % 16 !== 5))
    expect(pages[0]?.missingShards).toMatchObject([{ shardId: 5 }])
    await limited.disconnect()
    await admin.query('drop owned by hv_scanner; drop role hv_scanner')
  })

  it('because no server has it, a scan says which, and skips only that one', async () => {
    const shards = [3, 100, 200]
    await expect(pagesOf(db, { shards })).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    const pages = await pagesOf(db, { shards, onShardError: 'skip' })
    expect(numbersOf(pages)).toEqual(all.filter((n) => n % 16 === 3))
    expect(pages[0]?.missingShards).toMatchObject([
      { shardId: 100, serverId: undefined, error: { code: 'HV_SHARD_UNKNOWN' } },
      { shardId: 200, serverId: undefined, error: { code: 'HV_SHARD_UNKNOWN' } },
    ])
  })
})

describe('a scan that is left', () => {
  it('has nothing under way, keeps no connection, and nothing on the signal', async () => {
    await using store = new Datastore({ connections })
    const { signal } = new AbortController()
    for await (const { body } of store.scan({ pageSize: 10, signal })) if (body.n === '300') break
    expect(isAtRest(store)).toBe(true)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    const { created } = store.stats()[0]!
    for await (const _ of store.scan({ pageSize: 10, signal })) break
    expect(store.stats()[0]?.created).toBe(created)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('after its end has nothing on the signal either, and cannot be done again', async () => {
    const { signal } = new AbortController()
    const scan = db.scan({ signal })
    for await (const _ of scan);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    await expect(scan.pages().next()).rejects.toThrow(
      new TypeError('a scan can run only once: call scan() again for another one'),
    )
  })

  it('before it began needs nothing', async () => {
    await using scan = halfDown().scan()
    expect(scan.missingShards).toEqual([])
  })

  it('cannot be begun after it was disposed of', async () => {
    const scan = db.scan()
    await scan[Symbol.asyncDispose]()
    await expect(scan.pages().next()).rejects.toThrow(TypeError)
  })
})

describe('while a server does not answer', () => {
  const waiting = `from pg_stat_activity where application_name = 'hv_scan' and wait_event_type = 'Lock'`
  const waiters = async (): Promise<number> => (await admins[1]!.query(`select ${waiting}`)).rowCount ?? 0
  const openStore = (): Datastore =>
    new Datastore({
      connections: [connections[0], { ...connections[1], application_name: 'hv_scan' }],
      poolBlockTimeoutMs: 60_000,
    })

  async function withLock(work: () => Promise<void>): Promise<void> {
    const lock = new Client(connections[1])
    await lock.connect()
    try {
      await lock.query('begin; lock table shard0012.entities')
      await work()
    } finally {
      await lock.query('rollback')
      await lock.end()
    }
  }

  it('an abort ends a scan at once, on the server too', async () => {
    await using store = openStore()
    await withLock(async () => {
      const controller = new AbortController()
      const scanning = pagesOf(store, { signal: controller.signal, onShardError: 'skip' })
      const rejected = expect(scanning).rejects.toThrow('enough')
      await until('the read waits', async () => (await waiters()) === 1)
      controller.abort(new Error('enough'))
      await rejected
      await until('it is at rest', () => isAtRest(store))
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
      await until('the server has ended it', async () => (await waiters()) === 0)
    })
    expect(numbersOf(await pagesOf(store, {}))).toEqual(all)
  })

  const count = (store: Datastore): Promise<unknown> => store.count({ shards: [12] })
  const scan = (store: Datastore): Promise<unknown> => pagesOf(store, { shards: [12] })
  it.each<[string, object, (store: Datastore) => Promise<unknown>]>([
    ['count', {}, count],
    ['scan', {}, scan],
    ['count', { statement_timeout: 300 }, count],
    ['scan', { query_timeout: 600 }, scan],
  ])('a %s waits for a locked table once, and not again for each part of it: %j', async (_name, entry, read) => {
    const ends: unknown[] = []
    const debug = ({ sql, code }: { sql?: unknown; code?: unknown }): void => {
      if (String(sql).includes('entities')) ends.push(code)
    }
    const silent = (): void => undefined
    await using store = new Datastore({
      connections: connections.map((connection) => ({ ...connection, ...entry })),
      poolBlockTimeoutMs: 60_000,
      statementTimeoutMs: 1_000,
      logger: { debug, info: silent, warn: silent, error: silent } as never,
    })
    await withLock(async () => {
      await expect(read(store)).rejects.toThrow()
      expect(ends).toEqual(['55P03'])
    })
  })

  it('leaving a scan ends what it reads ahead, on the server too', async () => {
    await using store = openStore()
    const pages = store.scan({ pageSize: 50 }).pages()
    await pages.next()
    await pages.next()
    await withLock(async () => {
      // More than half of what is in memory, and less than all of it.
      for (let page = 3; page <= 10; page += 1) await pages.next()
      await until('a read ahead waits', async () => (await waiters()) > 0)
      await pages.return()
      expect(isAtRest(store)).toBe(true)
      await until('the server has ended it', async () => (await waiters()) === 0)
    })
  })

  it('disposing of a scan ends it for who waits for a page', async () => {
    await using store = openStore()
    await withLock(async () => {
      const scan = store.scan()
      const waitingForPage = expect(scan.pages().next()).rejects.toThrow()
      await until('the read waits', async () => (await waiters()) === 1)
      await scan[Symbol.asyncDispose]()
      await waitingForPage
      expect(isAtRest(store)).toBe(true)
    })
  })
})
