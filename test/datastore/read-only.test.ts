import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { HypervaultError } from '../../src/errors.ts'
import { Key } from '../../src/key/key.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

const HINT = 'This server is a standby or read-only: connect to the primary.'
const key = Key.from({ created: new Date(), shardId: 1, addedId: 1 })

let databases: TestDatabases
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(1)
  const connections = [{ ...databases.connections[0], shards: '1-2' }]
  await provision(connections)
  const client = new Client(databases.connections[0])
  await client.connect()
  await client.query('create table shard0001.photos (id int)')
  await client.query(`alter database ${databases.connections[0]?.database} set default_transaction_read_only = on`)
  await client.end()
  db = new Datastore({ connections })
})

afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

const insert = 'insert into photos values (1)'

it.each<[string, () => Promise<unknown>]>([
  ['put', () => db.put(1, 1, {})],
  ['put by itself', () => db.put(1, 1, {}, { batch: false })],
  ['putMany', () => db.putMany(1, 1, [{}, {}])],
  ['update', () => db.update(key, { set: { a: 'b' } })],
  ['replace', () => db.replace(key, { body: {} })],
  ['delete', () => db.delete(key)],
  ['deleteMany', () => db.deleteMany([key])],
  ['load', () => db.load(1, [{}], { shardOf: () => 1 }).finish()],
  ['a put in a transaction', () => db.transaction(1, (tx) => tx.put(1, {}))],
  ['a query in a transaction', () => db.transaction(1, (tx) => tx.query(insert))],
  ['shard.query', () => db.shard(1).query(insert)],
  ['shard.sql', async () => await db.shard(1).sql`insert into photos values (${1})`],
  ['the pool of a shard', () => db.shard(1).pool.query(insert)],
  ['cursor', () => db.cursor(1, (client) => client.query('insert into shard0001.photos values (1)'))],
])('a write on a server that takes none says so, and what to do: %s', async (_, write) => {
  const error = (await write().catch((thrown: unknown) => thrown)) as HypervaultError
  expect(error.hint).toBe(HINT)
  expect(error.message).toMatch(/standby or read-only|read-only transaction/)
})

it('reads on it go on', async () => {
  expect(await db.get(key)).toBeUndefined()
})
