import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import { Fleet } from '../../src/fleet.ts'
import {
  Datastore,
  defineKind,
  Key,
  loadConfig,
  migrate,
  planProvision,
  provision,
  remainingRows,
  text,
} from '../../src/index.ts'
import { startCluster } from '../../src/testing.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

/** Nobody listens there: whatever is sent fails otherwise. */
const nowhere = { shards: '1-9', host: '127.0.0.1', port: 1, user: 'nobody', database: 'nothing' }
const connections = [nowhere]
const key = Key.from({ created: new Date(), shardId: 5, addedId: 0 })
const User = defineKind(1, 'user', { name: text() })
const ticket = { batch: 1, shardId: 5, transaction: '1', firstId: 1n }
const plan = { before: [1], after: [1] }

type Call<T> = [string, (on: T, options: never) => unknown]

const ofDatastore: Call<Datastore>[] = [
  ['getConnection', (db, options) => db.getConnection(5, options)],
  ['cursor', (db, options) => db.cursor(5, () => 1, options)],
  ['verify', (db, options) => db.verify(options)],
  ['createIndex', (db, options) => db.createIndex({ key: 'name' } as never, options)],
  ['put', (db, options) => db.put(5, 1, {}, options)],
  ['putMany', (db, options) => db.putMany(5, 1, [], options)],
  ['load', (db, options) => db.load(1, [], { shardOf: () => 5, ...(options as object) })],
  ['findBatchEnd', (db, options) => db.findBatchEnd(ticket as never, options)],
  ['get', (db, options) => db.get(key, options)],
  ['getMany', (db, options) => db.getMany([], options)],
  ['update', (db, options) => db.update(key, { set: {} }, options)],
  ['replace', (db, options) => db.replace(key, { body: {} }, options)],
  ['delete', (db, options) => db.delete(key, options)],
  ['deleteMany', (db, options) => db.deleteMany([], options)],
  ['exists', (db, options) => db.exists(key, options)],
  ['find', (db, options) => db.find(5, {}, options)],
  ['scan', (db, options) => db.scan(options)],
  ['count', (db, options) => db.count(options)],
  ['exportTo', (db, options) => db.exportTo(() => undefined, options)],
  ['transaction', (db, options) => db.transaction(5, () => 1, options)],
  ['shard', (db, options) => db.shard(5, options)],
  ['shard.query', (db, options) => db.shard(5).query('select 1', [], options)],
  ['shard.transaction', (db, options) => db.shard(5).transaction(() => 1, options)],
  ['explain', (db, options) => db.explain(5, {}, options)],
  ['kind.put', (db, options) => db.kind(User).put(5, { name: 'Ada' }, options)],
  ['kind.putMany', (db, options) => db.kind(User).putMany(5, [], options)],
  ['kind.load', (db, options) => db.kind(User).load([], { shardOf: () => 5, ...(options as object) })],
  ['kind.get', (db, options) => db.kind(User).get(key, options)],
  ['kind.getMany', (db, options) => db.kind(User).getMany([], options)],
  ['kind.exists', (db, options) => db.kind(User).exists(key, options)],
  ['kind.find', (db, options) => db.kind(User).find(5, {}, options)],
  ['kind.explain', (db, options) => db.kind(User).explain(5, {}, options)],
  ['kind.scan', (db, options) => db.kind(User).scan(options)],
  ['kind.count', (db, options) => db.kind(User).count(options)],
  ['kind.update', (db, options) => db.kind(User).update(key, { set: {} }, options)],
  ['kind.replace', (db, options) => db.kind(User).replace(key, { name: 'Ada' }, options)],
  ['kind.delete', (db, options) => db.kind(User).delete(key, options)],
  ['kind.deleteMany', (db, options) => db.kind(User).deleteMany([], options)],
  ['indexes.create', (db, options) => db.indexes.create({ key: 'name' } as never, options)],
  ['indexes.drop', (db, options) => db.indexes.drop('name', options)],
  ['indexes.list', (db, options) => db.indexes.list(options)],
  ['migrations.up', (db, options) => db.migrations.up(options)],
  ['migrations.plan', (db, options) => db.migrations.plan(options)],
  ['migrations.status', (db, options) => db.migrations.status(options)],
  ['migrations.assertAt', (db, options) => db.migrations.assertAt('0001', options)],
]

const ofNobody: Call<undefined>[] = [
  ['Datastore', (_, options) => new Datastore({ connections, ...(options as object) })],
  ['Datastore.open', (_, options) => Datastore.open({ catalog: nowhere, ...(options as object) })],
  ['migrate', (_, options) => migrate({ connections, migrations: 'x', ...(options as object) })],
  ['migrate with a catalog', (_, options) => migrate({ catalog: nowhere, migrations: 'x', ...(options as object) })],
  ['provision', (_, options) => provision(connections, options)],
  ['planProvision', (_, options) => planProvision(connections, options)],
  ['loadConfig', (_, options) => loadConfig(options)],
  ['remainingRows', (_, options) => remainingRows([], { stored: [], unknown: [] }, options)],
  ['Fleet.open', (_, options) => Fleet.open({ catalog: nowhere, ...(options as object) })],
  ['startCluster', (_, options) => startCluster(options)],
  ['EmbeddedServer.start', (_, options) => EmbeddedServer.start(options)],
]

const ofFleet: Call<Fleet>[] = [
  ['readFleet', (fleet, options) => fleet.readFleet(options)],
  ['history', (fleet, options) => fleet.history(options)],
  ['addServer', (fleet, options) => fleet.addServer('s1', {}, options)],
  ['importConnections', (fleet, options) => fleet.importConnections(connections, options)],
  ['planSpread', (fleet, options) => fleet.planSpread('1-9', options)],
  ['applySpread', (fleet, options) => fleet.applySpread(plan as never, options)],
  ['drainServer', (fleet, options) => fleet.drainServer('s1', options)],
  ['activateServer', (fleet, options) => fleet.activateServer('s1', options)],
  ['removeServer', (fleet, options) => fleet.removeServer('s1', options)],
  ['moveShard', (fleet, options) => fleet.moveShard(5, { to: 's2', ...(options as object) })],
  ['planMove', (fleet, options) => fleet.planMove(5, { to: 's2', ...(options as object) })],
  ['resume', (fleet, options) => fleet.resume(1, options)],
  ['complete', (fleet, options) => fleet.complete(1, options)],
  ['reverse', (fleet, options) => fleet.reverse(1, options)],
  ['abort', (fleet, options) => fleet.abort(1, options)],
  ['moves', (fleet, options) => fleet.moves(options)],
  ['observe', (fleet, options) => fleet.observe(1, options)],
  ['doctor', (fleet, options) => fleet.doctor(options)],
  ['rebalance.plan', (fleet, options) => fleet.rebalance.plan(options)],
  ['rebalance.apply', (fleet, options) => fleet.rebalance.apply({ moves: [] }, options)],
]

/** What a call throws or rejects with. */
async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return undefined
}

async function expectRefusal<T>(call: Call<T>[1], on: T): Promise<void> {
  const error = await failureOf(() => call(on, { signals: undefined, poolMaximum: 1 } as never))
  expect(error).toBeInstanceOf(TypeError)
  expect((error as Error).message).toMatch(/unknown option signals, poolMaximum: .+ takes /)
}

describe('an option that a call does not take is a TypeError that names it, before anything is sent', () => {
  let databases: TestDatabases
  let fleet: Fleet
  const db = new Datastore({ connections })

  beforeAll(async () => {
    databases = await createDatabases(1)
    const catalog = { ...databases.connections[0] }
    await using made = new Catalog(catalog)
    await made.ensure()
    fleet = await Fleet.open({ catalog, logger: undefined, signal: undefined })
  })

  afterAll(async () => {
    await fleet.close()
    await databases.drop()
  })

  it.each(ofNobody)('%s', (_, call) => expectRefusal(call, undefined))

  it.each(ofDatastore)('datastore: %s', async (_, call) => {
    await expectRefusal(call, db)
    expect(db.stats()[0]).toMatchObject({ created: 0, connecting: 0, waiting: 0 })
  })

  it.each(ofFleet)('fleet: %s', (_, call) => expectRefusal(call, fleet))

  it.each(ofDatastore.filter(([name]) => !name.endsWith('load')))(
    'datastore: %s says how a signal is given',
    async (_, call) => {
      const error = await failureOf(() => call(db, new AbortController().signal as never))
      expect(String(error)).toMatch(/TypeError: .* takes an object of options/)
    },
  )
})

describe('in a transaction', () => {
  it('a condition is all that a change takes, also of a kind', async () => {
    await using databases = await createDatabases(1)
    const [server] = databases.connections
    const entry = { ...server, shards: '5-6' }
    await provision([entry])
    await using db = new Datastore({ connections: [entry] })
    await db.transaction(5, async (tx) => {
      const users = tx.kind(User)
      const user = await users.put({ name: 'Ada' })
      const given = { signal: undefined } as never
      const calls = [
        () => tx.update(user, { set: {} }, given),
        () => tx.replace(user, { body: {} }, given),
        () => tx.delete(user, given),
        () => users.update(user, { set: {} }, given),
        () => users.replace(user, { name: 'Ada' }, given),
        () => users.delete(user, given),
        () => users.delete(user, { ifKind: 1 } as never),
      ]
      for (const call of calls)
        expect(String(await failureOf(call))).toMatch(/^TypeError: unknown option (signal|ifKind): /)
    })
  })
})
