import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type ConnectionEntry, type DatastoreOptions, type Key } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

/** Shards 1 to 64 on one server. */
beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-65' }]
  await provision(connections)
})
afterAll(() => databases.drop())

function open(options: Partial<DatastoreOptions> = {}): Datastore {
  return new Datastore({ connections, ...options })
}

const places = (count: number): number[] => Array.from({ length: count }, (_, place) => place)

async function onServer<T>(work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client(databases.connections[0])
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

/** Does work while somebody else's transaction has done this. */
function whileHeld<T>(sql: string, work: (release: () => Promise<unknown>) => Promise<T>): Promise<T> {
  return onServer(async (holder) => {
    await holder.query(`begin; ${sql}`)
    return work(() => holder.query('rollback'))
  })
}

const lockRow = (key: Key | undefined): string =>
  `select from shard${String(key?.shardId).padStart(4, '0')}.entities where id = ${key} for update`

/** Backends that wait for a lock. */
const countWaiting = (): Promise<number> =>
  onServer(async (admin) => {
    const sql = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
    return (await admin.query(sql)).rows.length
  })

type Verb = (db: Datastore, keys: readonly Key[]) => Promise<unknown>[]

const verbs: Record<string, Verb> = {
  update: (db, keys) => keys.map((key) => db.update(key, { set: { n: '1' } })),
  replace: (db, keys) => keys.map((key) => db.replace(key, { body: { n: '1' } })),
  'conditional update': (db, keys) => keys.map((key) => db.update(key, { set: { n: '1' } }, { ifBody: { a: 'b' } })),
  delete: (db, keys) => keys.map((key) => db.delete(key)),
  'conditional delete': (db, keys) => keys.map((key) => db.delete(key, { ifBody: { a: 'b' } })),
}

describe('a row that somebody has locked', () => {
  const cases = [
    ...Object.keys(verbs).map((name) => [name, 10] as const),
    ...[3, 2, 1].map((n) => ['update', n] as const),
  ]

  it.each(cases)('delays nobody else who shares its statement: %s, with a pool of %i', async (name, poolMax) => {
    await using db = open({ poolMax, statementTimeoutMs: 1_500 })
    const keys = await Promise.all(places(10).map(() => db.put(1, 1, { a: 'b' })))
    await db.update(keys[0] as Key, { set: { a: 'b' } })
    await whileHeld(lockRow(keys[4]), async () => {
      const calls = (verbs[name] as Verb)(db, keys)
      const cancelled = { code: 'HV_STATEMENT_FAILED', details: { sqlstate: '57014' } }
      const held = expect(calls[4]).rejects.toMatchObject(cancelled)
      const others = calls.filter((_, place) => place !== 4)
      expect(await Promise.race([Promise.all(others).then(() => 'others'), held])).toBe('others')
      await held
      await until('nobody waits for the row', async () => (await countWaiting()) === 0)
    })
    expect(await db.get(keys[4] as Key)).toMatchObject({ body: { a: 'b' } })
  })

  it.each([10, 3, 2, 1])(
    'delays no call to other shards, and its change is done at last, with a pool of %i',
    async (poolMax) => {
      await using db = open({ poolMax })
      const keys = await Promise.all(places(64).map((place) => db.put(place + 1, 1, {})))
      await db.update(keys[0] as Key, { set: { a: 'b' } })
      await whileHeld(lockRow(keys[7]), async (release) => {
        const change = db.update(keys[7] as Key, { set: { late: 'yes' } })
        const others = keys.filter((_, place) => place !== 7)
        for (const round of places(3)) {
          await Promise.all(others.map((key) => db.update(key, { set: { round: String(round) } })))
          await Promise.all(keys.map((key) => db.get(key)))
          await Promise.all(keys.map((key) => db.put(key.shardId, 1, {})))
        }
        expect(await Promise.race([change, Promise.resolve('it waits')])).toBe('it waits')
        await release()
        expect(await change).toMatchObject({ status: 'changed' })
      })
    },
  )

  it.each([
    ['lock_timeout', '55P03'],
    ['statement_timeout', '57014'],
  ])('fails its own change only, when the server limits the wait by %s', async (setting, sqlstate) => {
    const limited = { ...(connections[0] as ConnectionEntry), options: `-c ${setting}=60` }
    await using db = open({ connections: [limited] })
    const keys = await Promise.all(places(10).map(() => db.put(1, 1, {})))
    await db.update(keys[0] as Key, { set: { a: 'b' } })
    const outcomes = await whileHeld(lockRow(keys[4]), () =>
      Promise.allSettled(keys.map((key) => db.update(key, { set: { n: '1' } }))),
    )
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect(outcomes[4]).toMatchObject({ reason: { code: 'HV_STATEMENT_FAILED', details: { sqlstate } } })
  })
})

interface Wait {
  readonly before?: string
  readonly held: string
  readonly waiting: (db: Datastore, key: Key) => Promise<unknown>[]
  readonly free: (db: Datastore, key: Key) => Promise<unknown>[]
}

const callAll = (db: Datastore, key: Key): Promise<unknown>[] => [
  db.get(key),
  db.exists(key),
  db.getMany([key]),
  db.put(key.shardId, 1, {}),
  db.update(key, { set: { a: 'b' } }),
]

const waits: Record<string, Wait> = {
  'a value of a unique index': {
    before: `create unique index on shard0002.entities ((body -> 'mail'))`,
    held: `insert into shard0002.entities (type, body) values (1, 'mail => taken')`,
    waiting: (db) => [db.put(2, 1, { mail: 'taken' })],
    free: (db) => places(9).map(() => db.put(2, 1, { mail: randomUUID() })),
  },
  'a whole table': {
    held: 'lock table shard0002.entities in access exclusive mode',
    waiting: (db, key) => callAll(db, key),
    free: (db) => places(20).map((place) => db.put(3 + place, 1, {})),
  },
  'a row that a foreign key looks at': {
    before: `
      create table shard0002.owners (id bigint primary key);
      insert into shard0002.owners values (7), (8);
      alter table shard0002.entities
        add owner bigint generated always as ((body -> 'owner')::bigint) stored references shard0002.owners (id)`,
    held: 'select from shard0002.owners where id = 7 for update',
    waiting: (db, key) => [db.put(2, 1, { owner: '7' }), db.update(key, { set: { owner: '7' } })],
    free: (db) => places(9).map((place) => db.put(2, 1, place < 5 ? { owner: '8' } : {})),
  },
  'a row that points at an entity': {
    before: `
      create table shard0002.notes (
        id bigint references shard0002.entities (id) on delete cascade
      );
      insert into shard0002.notes select id from shard0002.entities`,
    held: 'select from shard0002.notes for update',
    waiting: (db, key) => [db.delete(key)],
    free: (db) => places(9).map(() => db.put(2, 1, {})),
  },
  'a lock that a trigger takes': {
    before: `
      create function shard0002.wait() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(7); return new; end $$;
      create trigger wait before insert on shard0002.entities
        for each row when (new.body ? 'wait') execute function shard0002.wait()`,
    held: 'select pg_advisory_xact_lock(7)',
    waiting: (db) => [db.put(2, 1, { wait: 'yes' })],
    free: (db, key) => [...places(9).map(() => db.put(2, 1, {})), db.update(key, { set: { a: 'b' } })],
  },
}

it.each(Object.entries(waits))('%s that is locked makes nobody wait who does not want it', async (_name, wait) => {
  await using db = open()
  const key = await db.put(2, 1, {})
  await db.update(key, { set: { a: 'b' } })
  await onServer((admin) => admin.query(wait.before ?? 'select'))
  await whileHeld(wait.held, async (release) => {
    const waiting = wait.waiting(db, key)
    for (const _ of places(3)) await Promise.all(wait.free(db, key))
    expect(await Promise.race([...waiting, Promise.resolve('they wait')])).toBe('they wait')
    await release()
    await Promise.all(waiting)
  })
})

it('changes of a row that is locked are done in the order in which they were asked for', async () => {
  await using db = open({ statementTimeoutMs: 3_000 })
  const [key, other] = (await Promise.all(places(2).map(() => db.put(1, 1, {})))) as [Key, Key]
  await whileHeld(lockRow(key), async (release) => {
    const changes = places(5).map((n) => db.update(key, { set: { n: String(n) } }))
    await db.update(other, { set: { a: 'b' } })
    const later = places(5).map((n) => db.update(key, { set: { n: String(n + 5) } }))
    await db.update(other, { set: { a: 'c' } })
    await release()
    const outcomes = await Promise.all([...changes, ...later])
    const times = outcomes.map((outcome) => (outcome.status === 'changed' ? Number(outcome.updated) : NaN))
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })
  expect(await db.get(key)).toMatchObject({ body: { n: '9' } })
})
