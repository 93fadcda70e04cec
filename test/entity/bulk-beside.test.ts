import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, Key, type Body, type ConnectionEntry } from '../../src/index.ts'
import { deferred } from '../../src/pool/deferred.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

/*
 * Bulk and single writers in one shard. Their keys are of the present, so they share a millisecond only with as many others
 * as there is room for, and nobody waits for the rows of anybody else.
 */

const SHARD = 1

let databases: TestDatabases
let connections: ConnectionEntry[]
let admin: Client
let db: Datastore
/** Another process, as far as the server can tell. */
let other: Datastore

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = databases.connections.map((connection) => ({ ...connection, shards: '1-2' }))
  await provision(connections)
  admin = new Client(databases.connections[0])
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await databases.drop()
})
beforeEach(() => {
  db = new Datastore({ connections })
  other = new Datastore({ connections })
})
afterEach(async () => {
  await Promise.all([db.disconnect(), other.disconnect()])
  await admin.query('truncate shard0001.entities')
})

const bodiesTo = (count: number): Body[] => Array.from({ length: count }, (_, n) => ({ n: String(n) }))

async function loadInto(datastore: Datastore, count: number): Promise<Key[]> {
  const keys: Key[] = []
  for await (const key of datastore.load(1, bodiesTo(count), { shardOf: () => SHARD })) keys.push(key)
  return keys
}

/** Every way to store many rows at once. */
const ways: Record<string, (datastore: Datastore, count: number) => Promise<Key[]>> = {
  load: loadInto,
  putMany: (datastore, count) => datastore.putMany(SHARD, 1, bodiesTo(count)),
  'putMany in a transaction': (datastore, count) =>
    datastore.transaction(SHARD, (tx) => tx.putMany(1, bodiesTo(count))),
}

const collisions = (): number =>
  [...db.stats(), ...other.stats()].reduce((sum, { keyCollisions }) => sum + keyCollisions, 0)

async function expectStored(keys: readonly Key[]): Promise<void> {
  expect(new Set(keys.map(String)).size).toBe(keys.length)
  const { rows } = await admin.query<{ n: number }>('select count(*)::int as n from shard0001.entities')
  expect(rows[0]?.n).toBe(keys.length)
}

describe('many rows at once', () => {
  it('meet no key of each other or of puts, in one process or in two', async () => {
    let isOver = false
    const puts: Key[] = []
    const writers = Array.from({ length: 16 }, async (_, n) => {
      while (!isOver) puts.push(await (n % 2 === 0 ? db : other).put(SHARD, 2, { n: String(n) }))
    })
    const bulk = Object.values(ways).flatMap((way) => [way(db, 12_000), way(other, 4_000), way(db, 200)])
    const keys = (await Promise.all(bulk)).flat()
    isOver = true
    await Promise.all(writers)
    await expectStored([...keys, ...puts])
    expect(collisions()).toBe(0)
  })

  it('take no key of a time that is still to come', async () => {
    let now = 0n
    const beforeCommit = async (): Promise<void> => {
      const { rows } = await admin.query<{ id: string }>('select shard0001.next_id() as id')
      now = BigInt(rows[0]?.id ?? '')
    }
    const options = { shardOf: () => SHARD, batchRows: 50_000, beforeCommit }
    const keys: Key[] = []
    for await (const key of db.load(1, bodiesTo(50_000), options)) keys.push(key)
    expect(keys.every(({ id }) => id < now)).toBe(true)
    expect(keys.map(String)).toEqual(keys.toSorted(Key.compare).map(String))
  })

  it.each(Object.keys(ways))('do not wait for those whose commit is held up: %s', async (name) => {
    const held = deferred<void>()
    const begun = deferred<void>()
    const beforeCommit = (): Promise<void> => (begun.resolve(), held.promise)
    const load = db.load(1, bodiesTo(2_000), { shardOf: () => SHARD, beforeCommit })
    const finished = load.finish()
    await begun.promise
    const keys = [...((await ways[name]?.(other, 2_000)) ?? []), await other.put(SHARD, 1, {})]
    held.resolve()
    const { rows } = await finished
    expect(rows + keys.length).toBe(4_001)
  })

  it('in a transaction hold nobody up until its end', async () => {
    const keys = await db.transaction(SHARD, async (tx) => {
      const own = await tx.putMany(1, bodiesTo(1_000))
      return [...own, ...(await loadInto(other, 1_000)), ...(await other.putMany(SHARD, 1, bodiesTo(1_000)))]
    })
    await expectStored(keys)
  })
})

/** Replaces the clock of `next_id()`: milliseconds of a time long past, out of the number of the sequence. */
async function setClock(ms: string): Promise<void> {
  await admin.query('alter sequence shard0001.table_id_seq restart with 1')
  await admin.query(
    [
      'create or replace function shard0001.next_id(out result bigint) language sql volatile as $$',
      `  select (1000 + (${ms})) << 23 | (1 << 10) | number % 1024`,
      "  from (select nextval('shard0001.table_id_seq') as number) as drawn",
      '$$',
    ].join('\n'),
  )
}

const everyWay: Record<string, (datastore: Datastore, count: number) => Promise<Key[]>> = {
  ...ways,
  'a few by putMany': (datastore) => ways.putMany?.(datastore, 200) ?? Promise.resolve([]),
  'a few by putMany in a transaction': (datastore) =>
    ways['putMany in a transaction']?.(datastore, 200) ?? Promise.resolve([]),
  'a few by load': (datastore) => loadInto(datastore, 200),
  puts: (datastore) => Promise.all(bodiesTo(200).map((body) => datastore.put(SHARD, 1, body))),
}

describe.each(Object.keys(everyWay))('keys for %s', (name) => {
  const store = (): Promise<Key[]> => everyWay[name]?.(db, 3_000) ?? Promise.resolve([])

  it('are found while the clock stands', async () => {
    await setClock('greatest(number - 6000, 0) / 300')
    await expectStored(await store())
  })

  it('are found when the clock stepped back over keys of a bulk load', async () => {
    await setClock('number / 300')
    await admin.query(
      [
        'insert into shard0001.entities (id, type, body)',
        "select (1000 + number / 300) << 23 | (1 << 10) | number % 1024, 9, ''",
        'from generate_series(1, 40000, 2) as number',
      ].join('\n'),
    )
    const keys = await store()
    const { rows } = await admin.query<{ n: number }>(
      'select count(*)::int as n from shard0001.entities where type = 1',
    )
    expect(rows[0]?.n).toBe(keys.length)
  })
})

it('the keys of every batch of a load are drawn while the batch before is stored', async () => {
  const drawn = async (): Promise<number> => {
    const { rows } = await admin.query<{ drawn: string }>('select last_value as drawn from shard0001.table_id_seq')
    return Number(rows[0]?.drawn)
  }
  const [rows, batches] = [500, 6]
  let [before, begun] = [await drawn(), 0]
  const beforeCommit = async (): Promise<void> => {
    begun += 1
    if (begun === batches) return
    const enough = before + (begun === 1 ? 2 : 1) * rows
    await until(`keys for batch ${begun + 1}`, async () => (await drawn()) >= enough, 10_000)
    before = await drawn()
  }
  const loading = db.load(1, bodiesTo(rows * batches), { shardOf: () => SHARD, batchRows: rows, beforeCommit })
  for await (const _ of loading);
  expect(begun).toBe(batches)
})
