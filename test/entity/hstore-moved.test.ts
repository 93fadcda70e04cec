import { Client } from 'pg'
import { afterAll, beforeAll, it } from 'vitest'
import { Datastore, Key, type ConnectionEntry } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-3' }]
  await provision(connections)
})
afterAll(() => databases.drop())

let moves = 0

/** Moves the extension to a schema that is new, under whoever works with it. */
async function moveHstore(): Promise<void> {
  const admin = new Client(databases.connections[0])
  await admin.connect()
  moves += 1
  const sql = `create schema place${moves}; alter extension hstore set schema place${moves}`
  await admin.query(sql).finally(() => admin.end())
}

const alone = { batch: false }

const verbs: Record<string, (db: Datastore, key: Key) => Promise<unknown>> = {
  'puts that travel together': (db) => Promise.all([1, 2, 3, 4].map((n) => db.put(1, 1, { n: String(n) }))),
  putMany: (db) => db.putMany(1, 1, [{}, {}]),
  update: (db, key) => db.update(key, { set: { a: 'c' } }),
  'update that travels alone': (db, key) => db.update(key, { set: { a: 'c' } }, alone),
  'conditional update': (db, key) => db.update(key, { set: { a: 'c' } }, { ifBody: { a: 'b' } }),
  replace: (db, key) => db.replace(key, { body: {} }),
  'conditional delete': (db, key) => db.delete(key, { ifBody: { a: 'b' } }),
  find: (db) => db.find(1, { where: { equals: { a: 'b' } } }),
  explain: (db) => db.explain(1, { where: { equals: { a: 'b' } } }),
  count: (db) => db.count({ where: { equals: { a: 'b' } } }),
  scan: async (db) => {
    for await (const _ of db.scan({ where: { equals: { a: 'b' } } })) return
  },
  load: (db) => db.load(1, [{}, {}], { shardOf: () => 1 }).finish(),
  'load with keys': (db) => db.load(1, [{ a: 'x' }], { shardOf: () => 1, keyOf: () => newKey() }).finish(),
  transaction: (db, key) => db.transaction(1, (tx) => tx.update(key, { set: { a: 'c' } })),
  'transaction that finds': (db) => db.transaction(1, (tx) => tx.find({ where: { equals: { a: 'b' } } })),
  'own statement in a transaction': (db) => db.transaction(1, (tx) => tx.query(own)),
  'own statement': (db) => db.shard(1).query(own),
  'own statement of the pool': (db) => db.shard(1).pool.query(own),
  'own statement of a lent client': async (db) => {
    const client = await db.shard(1).pool.connect()
    try {
      return await client.query(own)
    } finally {
      client.release()
    }
  },
}

const own = "select body -> 'a', ('a=>b'::hstore) ? 'a' from entities"
let made = 0n

/** A key of shard 1 that nobody has. */
function newKey(): Key {
  made += 1n
  return new Key((100_000n << 23n) | (1n << 10n) | made)
}

it.each(Object.entries(verbs))('%s goes on when hstore is moved to another schema', async (_name, call) => {
  await using db = new Datastore({ connections })
  const [key] = (await Promise.all([1, 2, 3].map(() => db.put(1, 1, { a: 'b' })))) as [Key]
  await db.update(key, { set: { a: 'b' } })
  await db.find(1, { where: { equals: { a: 'b' } } })
  await moveHstore()
  await call(db, key)
  await moveHstore()
  await call(db, await db.put(1, 1, { a: 'b' }))
})
