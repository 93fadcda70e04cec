import { Client } from 'pg'
import { afterAll, beforeAll, it } from 'vitest'
import { Datastore, type ConnectionEntry, type Key } from '../../src/index.ts'
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
