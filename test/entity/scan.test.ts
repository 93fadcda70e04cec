import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, encodeHstore, Key, type ConnectionEntry, type Entity, type ScanOptions } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { idAt, type ModelEntity } from './find-model.ts'

const SHARDS = 64

let databases: TestDatabases
let connections: ConnectionEntry[]
let admins: Client[]
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = [
    { ...databases.connections[0], shards: '0-32' },
    { ...databases.connections[1], shards: '32-64' },
  ]
  await provision(connections)
  admins = await Promise.all(
    databases.connections.map(async (connection) => {
      const admin = new Client(connection)
      await admin.connect()
      return admin
    }),
  )
  db = new Datastore({ connections })
})
afterAll(async () => {
  await db.disconnect()
  await Promise.all(admins.map((admin) => admin.end()))
  await databases.drop()
})

function shardOf({ id }: ModelEntity): number {
  return new Key(id).shardId
}

/** Puts entities in the place of all that there are. */
async function store(entities: readonly ModelEntity[]): Promise<void> {
  await Promise.all(
    admins.map(async (admin, server) => {
      for (let shardId = server * 32; shardId < server * 32 + 32; shardId += 1) {
        await fill(
          admin,
          shardId,
          entities.filter((entity) => shardOf(entity) === shardId),
        )
      }
    }),
  )
}

async function fill(admin: Client, shardId: number, entities: readonly ModelEntity[]): Promise<void> {
  const table = `shard${String(shardId).padStart(4, '0')}.entities`
  await admin.query(`delete from ${table}`)
  if (entities.length === 0) return
  await admin.query(
    `insert into ${table} (id, type, body)
      select id, type, body::hstore from unnest($1::bigint[], $2::smallint[], $3::text[]) as new (id, type, body)`,
    [entities.map(({ id }) => id), entities.map(({ kind }) => kind), entities.map(({ body }) => encodeHstore(body))],
  )
}

/** Some entities in each shard, with times that go round the shards and cross the year 2048. */
function someEntities(count: number): ModelEntity[] {
  return Array.from({ length: count }, (_, n) => ({
    id: idAt((n * 37) % SHARDS, 2 ** 40 - Math.floor(count / 2) + n, n % 5),
    kind: n % 3,
    body: { n: String(n) },
  }))
}

async function scanned(options: ScanOptions): Promise<string[]> {
  const entities: Entity[] = []
  for await (const entity of db.scan(options)) entities.push(entity)
  return entities.map(({ body }) => body.n ?? '')
}

const numbers = (entities: readonly ModelEntity[]): string[] => entities.map(({ body }) => body.n ?? '')

describe('a scan', () => {
  const entities = someEntities(1_000)
  beforeAll(() => store(entities))

  it('gives the entities of all shards in the order of their creation, across the year 2048, both ways', async () => {
    expect(await scanned({})).toEqual(numbers(entities))
    expect(await scanned({ order: 'desc', pageSize: 7 })).toEqual(numbers(entities).reverse())
  })

  it('gives only what is asked for', async () => {
    expect(await scanned({ kind: 1 })).toEqual(numbers(entities.filter(({ kind }) => kind === 1)))
    expect(await scanned({ where: { equals: { n: '77' } } })).toEqual(['77'])
    expect(await scanned({ limit: 5 })).toEqual(['0', '1', '2', '3', '4'])
    expect(await scanned({ shards: [40, 3, 40] })).toEqual(
      numbers(entities.filter((entity) => [3, 40].includes(shardOf(entity)))),
    )
    const [from, to] = [entities[100], entities[110]].map((entity) => new Key(entity?.id ?? 0n).created)
    expect(await scanned({ createdAfter: from!, createdBefore: to! })).toEqual(numbers(entities.slice(100, 110)))
    expect(await scanned({ after: new Key(entities[989]!.id) })).toEqual(numbers(entities.slice(990)))
  })

  it('goes on from the cursor of each page in another datastore', async () => {
    for (const order of ['asc', 'desc'] as const) {
      const given: string[] = []
      let after: string | undefined
      for (let hasMore = true; hasMore;) {
        await using other = new Datastore({ connections })
        const { value: page } = await other
          .scan({ order, pageSize: 170, ...(after && { after }) })
          .pages()
          .next()
        if (page === undefined) throw new Error('no page')
        given.push(...page.entities.map(({ body }) => body.n ?? ''))
        hasMore = page.hasMore
        after = page.cursor
      }
      expect(given).toEqual(order === 'asc' ? numbers(entities) : numbers(entities).reverse())
    }
  })
})

describe('a scan that goes on after the topology has changed', () => {
  it('takes a new shard from the cursor on, and names one that is gone', async () => {
    const entities = someEntities(1_000)
    await store(entities)
    await using before = new Datastore({ connections: [connections[0]!, { ...connections[1]!, shards: '32-63' }] })
    const { value: page } = await before.scan({ pageSize: 500 }).pages().next()
    const known = entities.filter((entity) => shardOf(entity) !== 63)
    expect(page?.entities.map(({ body }) => body.n)).toEqual(numbers(known).slice(0, 500))
    const last = Number(page?.entities.at(-1)?.body.n)
    expect(await scanned({ after: page!.cursor })).toEqual(numbers(entities.slice(last + 1)))
    const shards = [1, 63]
    const { value: both } = await db.scan({ shards, pageSize: 5 }).pages().next()
    await expect(before.scan({ shards, after: both!.cursor }).pages().next()).rejects.toMatchObject({
      code: 'HV_SHARD_UNKNOWN',
      details: { shardId: 63 },
    })
  })
})

describe('the cursor of a page', () => {
  const from = new Date('2020-01-01')
  const query: ScanOptions = { kind: 1, where: { has: 'n' }, createdAfter: from }

  async function cursorOf(options: ScanOptions): Promise<string> {
    const { value: page } = await db.scan(options).pages().next()
    return page?.cursor ?? ''
  }

  it('is safe in a URL, and short', async () => {
    const cursor = await cursorOf({ ...query, pageSize: 1 })
    expect(cursor).toMatch(/^[A-Za-z0-9_-]{20,40}$/)
  })

  it('is refused when any of its letters was changed, when it is cut, and when it is something else', async () => {
    const cursor = await cursorOf(query)
    const changed = Array.from(cursor, (letter, at) => {
      const other = letter === 'A' ? 'B' : 'A'
      return cursor.slice(0, at) + other + cursor.slice(at + 1)
    })
    for (const after of [...changed, cursor.slice(0, -1), `${cursor}A`, `${cursor}=`, `${cursor} `, '', 'x', '12345']) {
      expect(() => db.scan({ ...query, after })).toThrow(
        expect.objectContaining({ code: 'HV_CURSOR_INVALID', details: { reason: 'damaged' } }),
      )
    }
  })

  it('is refused by another query, and taken by the same with other pages', async () => {
    const after = await cursorOf(query)
    const others: ScanOptions[] = [
      { ...query, kind: 2 },
      { ...query, order: 'desc' },
      { ...query, where: { has: 'm' } },
      { ...query, createdAfter: new Date('2020-01-02') },
      { ...query, createdBefore: new Date('2080-01-01') },
      { ...query, shards: [1] },
      {},
    ]
    for (const other of others) {
      expect(() => db.scan({ ...other, after })).toThrow(expect.objectContaining({ code: 'HV_CURSOR_FOREIGN' }))
    }
    for await (const _ of db.scan({ ...query, after, pageSize: 3, limit: 9, onShardError: 'skip' }));
  })
})

describe('options of a scan', () => {
  it.each<[unknown, typeof TypeError | typeof RangeError, string]>([
    ['x', TypeError, 'a scan takes an object of options, got string'],
    [{ limits: 5 }, TypeError, 'unknown option limits: a scan takes kind, where, createdAfter'],
    [{ kind: 'x' }, TypeError, 'kind must be a number'],
    [{ order: 'up' }, RangeError, "order must be 'asc' or 'desc', got 'up'"],
    [{ shards: '1-9' }, TypeError, 'shards must be an array, got string'],
    [{ shards: [1, 8192] }, RangeError, 'shards[1] must be an integer from 0 to 8191'],
    [{ after: 5 }, TypeError, 'after must be a Key or the cursor of a page, got number'],
    [{ limit: 0 }, RangeError, 'limit must be an integer from 1 to 9007199254740991, got 0'],
    [{ pageSize: 10_001 }, RangeError, 'pageSize must be an integer from 1 to 10000, got 10001'],
    [{ pageSize: '5' }, TypeError, 'pageSize must be a number, got string'],
    [{ onShardError: 'ignore' }, RangeError, "onShardError must be 'throw' or 'skip', got 'ignore'"],
    [{ onShardError: true }, RangeError, "onShardError must be 'throw' or 'skip', got boolean"],
    [{ signal: 'x' }, TypeError, 'signal must be an AbortSignal, got string'],
  ])('%j are refused at the call', (options, type, message) => {
    expect(() => db.scan(options as ScanOptions)).toThrow(type)
    expect(() => db.scan(options as ScanOptions)).toThrow(message)
  })
})
