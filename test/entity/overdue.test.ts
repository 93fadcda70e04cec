import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type Key, type Transaction } from '../../src/index.ts'
import { startCluster, type Cluster } from '../../src/testing.ts'
import { until } from '../support/until.ts'

let cluster: Cluster

/** A server of its own, because some cases change its settings. */
beforeAll(async () => {
  cluster = await startCluster({ servers: 1, shards: '1-4' })
})
afterAll(() => cluster.stop())

interface Bounds {
  readonly statementTimeoutMs: number
  /** In the entry of the server. */
  readonly query_timeout?: number
}

function openCounting({ statementTimeoutMs, ...entry }: Bounds = { statementTimeoutMs: 1_000 }): {
  db: Datastore
  countOf: (part: string) => number
} {
  const texts: string[] = []
  const note = (event: object): void => void texts.push(String((event as { sql?: unknown }).sql))
  const logger = { debug: note, info: note, warn: note, error: note }
  const connections = cluster.connections.map((connection) => ({ ...connection, ...entry }))
  const db = new Datastore({ connections, statementTimeoutMs, logger })
  return { db, countOf: (part) => texts.filter((text) => text.includes(part)).length }
}

async function onServer<T>(work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client(cluster.connections[0])
  await admin.connect()
  return work(admin).finally(() => admin.end())
}

/** Puts a few entities, so that the datastore knows what it has to know of the server. */
async function putSome(db: Datastore): Promise<Key> {
  const [key] = (await Promise.all([1, 2, 3].map(() => db.put(1, 1, { a: 'b' })))) as [Key]
  await db.update(key, { set: { a: 'b' } })
  return key
}

describe('a change of a locked row whose time is over', () => {
  const alone = { batch: false }
  const changes: Record<string, (db: Datastore, key: Key) => Promise<unknown>> = {
    update: (db, key) => db.update(key, { set: { n: '1' } }),
    delete: (db, key) => db.delete(key),
    'update that travels alone': (db, key) => db.update(key, { set: { n: '1' } }, alone),
    'replace that travels alone': (db, key) => db.replace(key, { body: {} }, alone),
    'delete that travels alone': (db, key) => db.delete(key, alone),
  }

  const bounds: Bounds[] = [{ statementTimeoutMs: 1_000 }, { statementTimeoutMs: 120_000, query_timeout: 1_000 }]
  const cases = bounds.flatMap((bound) => Object.entries(changes).map(([name, change]) => ({ name, bound, change })))

  it.each(cases)('was sent once and is known not to be done: $name, $bound', async ({ bound, change }) => {
    const { db, countOf } = openCounting(bound)
    await using _ = db
    const key = await putSome(db)
    await onServer(async (holder) => {
      await holder.query(`begin; select from shard0001.entities where id = ${key} for update`)
      const before = countOf('shard0001.entities')
      const cancelled = { code: 'HV_STATEMENT_FAILED', details: { sqlstate: '57014' } }
      await expect(change(db, key)).rejects.toMatchObject(cancelled)
      expect(countOf('shard0001.entities') - before).toBe(1)
    })
    expect(await db.get(key)).toMatchObject({ body: { a: 'b' } })
  })
})

describe('query_timeout in a transaction', () => {
  const entry = { statementTimeoutMs: 120_000, query_timeout: 1_000 }
  it.each<[string, Bounds, (tx: Transaction, text: string) => Promise<unknown>]>([
    ['of the server', entry, (tx, text) => tx.query(text)],
    ['of the server, hidden', entry, (tx, text) => tx.query(text).catch(() => undefined)],
    ['of the server, for an entity', entry, (tx) => tx.putMany(1, [{}])],
    [
      'of the statement',
      { statementTimeoutMs: 120_000 },
      (tx, text) => tx.query({ text, query_timeout: 500 } as never),
    ],
  ])('ends it, also at the server: %s', async (_name, bound, work) => {
    const { db } = openCounting(bound)
    await using _ = db
    await db.put(1, 1, {})
    await onServer(async (holder) => {
      await holder.query('begin; lock table shard0001.entities in share mode')
      const waiting = `select from pg_stat_activity where wait_event_type = 'Lock'`
      const text = 'update entities set type = 2'
      await expect(db.transaction(1, (tx) => work(tx, text))).rejects.toThrow(/Query read timeout|connection/)
      await until('nobody waits at the server', async () => (await holder.query(waiting)).rowCount === 0)
    })
    expect(await db.put(1, 1, {})).toBeDefined()
  })
})

describe('a joint statement that is slow and waits for no lock', () => {
  it('is left in peace', async () => {
    await onServer((admin) =>
      admin.query(`
        create function shard0002.slow() returns trigger language plpgsql as
          $$ begin perform pg_sleep(0.06); return new; end $$;
        create trigger slow before update on shard0002.entities
          for each row when (new.body ? 'slow') execute function shard0002.slow()`),
    )
    const { db, countOf } = openCounting()
    await using _ = db
    await putSome(db)
    const keys = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(() => db.put(2, 1, {})))
    await Promise.all(keys.map((key) => db.update(key, { set: { slow: 'yes' } })))
    expect(countOf('update shard0002.entities')).toBe(1)
  })
})

describe('a write that the synchronous standby has not confirmed', () => {
  const setStandby = (name: string): Promise<unknown> =>
    onServer(async (admin) => {
      await admin.query(`alter system set synchronous_standby_names = '${name}'`)
      await admin.query('select pg_reload_conf()')
      const show = 'show synchronous_standby_names'
      while ((await admin.query<Record<string, string>>(show)).rows[0]?.synchronous_standby_names !== name);
      // It is in force when the checkpointer has taken it over, which it does before a checkpoint.
      await admin.query('checkpoint')
    })
  const writes: Record<string, (db: Datastore, key: Key) => Promise<unknown>[]> = {
    put: (db) => [db.put(3, 1, {})],
    'puts that travel together': (db) => [1, 2, 3].map(() => db.put(3, 1, {})),
    'put that travels alone': (db) => [db.put(3, 1, {}, { batch: false })],
    update: (db, key) => [db.update(key, { set: { n: '1' } })],
  }

  it.each(Object.entries(writes))('is not acknowledged: %s', async (_name, write) => {
    const { db } = openCounting()
    await using _ = db
    const key = await putSome(db)
    await setStandby('nobody')
    try {
      const outcomes = await Promise.allSettled(write(db, key))
      for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'HV_OUTCOME_UNKNOWN' } })
    } finally {
      await setStandby('')
    }
  })
})
