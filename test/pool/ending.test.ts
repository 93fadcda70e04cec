import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type ConnectionEntry, type DatastoreOptions } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-3' }]
  await provision(connections)
})
afterAll(() => databases.drop())

const open = (options: Partial<DatastoreOptions> = {}): Datastore =>
  new Datastore({ connections: connections.map((each) => ({ ...each, application_name: 'ending' })), ...options })

/** Backends of the datastore, asked for by somebody else. */
async function countBackends(): Promise<number> {
  const admin = new Client(databases.connections[0])
  await admin.connect()
  const sql = `select count(*)::int as n from pg_stat_activity where application_name = 'ending'`
  const { rows } = await admin.query<{ n: number }>(sql).finally(() => admin.end())
  return rows[0]?.n ?? NaN
}

const works = 'select pg_sleep(60)'

/** Ways in which a connection is cut while its server is at work. */
const ways: Record<string, (db: Datastore) => Promise<unknown>> = {
  'a signal of a query': (db) => db.shard(1).query(works, [], { signal: AbortSignal.timeout(200) }),
  'a signal of a transaction': (db) => db.transaction(1, (tx) => tx.query(works), { signal: AbortSignal.timeout(200) }),
  'the time of a transaction': (db) => db.transaction(1, (tx) => tx.query(works), { timeoutMs: 200 }),
  'a client that is released while it works': async (db) => {
    const connection = await db.getConnection(1)
    const query = connection.query(works)
    const failed = expect(query).rejects.toThrow()
    db.putConnection(connection)
    await failed
    throw new Error('released')
  },
}

describe('a connection that is cut while its server is at work', () => {
  it.each(Object.entries(ways))('leaves no backend behind: %s', async (_name, cut) => {
    await using db = open()
    await expect(cut(db)).rejects.toThrow()
    await until('the server has let go', async () => db.stats()[0]?.ending === 0 && (await countBackends()) <= 1)
  })

  it('counts against poolMax and is told in stats() until the server has let go of it', async () => {
    await using db = open({ poolMax: 2 })
    const cutAll = Array.from({ length: 6 }, () =>
      expect(db.shard(1).query(works, [], { signal: AbortSignal.timeout(150) })).rejects.toThrow(),
    )
    let most = 0
    const watch = until('all have ended', async () => {
      most = Math.max(most, await countBackends())
      const { ending = NaN, lent = NaN, waiting = NaN } = db.stats()[0] ?? {}
      return ending + lent + waiting === 0
    })
    await Promise.all([...cutAll, watch])
    expect(most).toBeLessThanOrEqual(2)
  })

  it('is gone after disconnect()', async () => {
    const db = open({ disconnectTimeoutMs: 50 })
    const query = expect(db.shard(1).query(works)).rejects.toThrow()
    await until('it works', async () => (await countBackends()) === 1)
    await db.disconnect()
    await query
    expect(await countBackends()).toBe(0)
  })
})

it('an idle connection is closed after idleTimeoutMs once, also after a put', async () => {
  const total = (db: Datastore): number | undefined => db.stats()[0]?.total
  await using db = open({ idleTimeoutMs: 600 })
  await db.put(1, 1, {})
  // The same time, and half of it, as connections take it that no put has used.
  for (const idleTimeoutMs of [600, 300]) {
    await using clock = open({ idleTimeoutMs })
    await clock.cursor(1, (client) => client.query('select'))
    await until('the clock has no connection', () => total(clock) === 0)
  }
  expect(total(db)).toBe(0)
})
