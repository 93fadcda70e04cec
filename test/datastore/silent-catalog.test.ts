import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { Key } from '../../src/key/key.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { startFreezingProxy, type FreezingProxy } from '../support/freezing-proxy.ts'

// Shard 1 has moved and its old schema is gone; shard 2 stands behind the fence of its move. The datastore does not know of
// either, and its link to the catalog is frozen. Each test has little time: what waits without a bound fails by it.
let servers: TestFleet
let proxy: FreezingProxy
let fleet: Fleet
let db: Datastore
let catalog: Record<string, unknown>
const keys = new Map<number, Key>()
const BOUND_MS = 1_000

beforeAll(async () => {
  servers = await createFleet()
  proxy = await startFreezingProxy(servers.catalogConnection)
  catalog = { ...servers.catalogConnection, host: '127.0.0.1', port: proxy.port }
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  const bounds = { poolBlockTimeoutMs: BOUND_MS, statementTimeoutMs: BOUND_MS, disconnectTimeoutMs: BOUND_MS }
  db = await Datastore.open({ catalog, topologyPollMs: 600_000, ...bounds })
  for (const shardId of [1, 2]) keys.set(shardId, await db.put(shardId, 1, { a: 'b' }))
  await db.shard(1).query('create table notes (id serial primary key)')
  await db.shard(2).query('create table notes (id serial primary key)')
  proxy.freeze()
  const { moveId } = await fleet.moveShard(1, { to: 's3' })
  await fleet.complete(moveId)
  await fleet.moveShard(2, { to: 's3' })
})

afterAll(async () => {
  await fleet.close()
  await servers[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
})

type Call = (shardId: number, signal?: AbortSignal) => Promise<unknown>

const writes: Record<string, Call> = {
  put: (shardId, signal) => db.put(shardId, 1, {}, { signal }),
  putMany: (shardId, signal) => db.putMany(shardId, 1, [{}, {}], { signal }),
  update: (shardId, signal) => db.update(keys.get(shardId)!, { set: { c: 'd' } }, { signal }),
  replace: (shardId, signal) => db.replace(keys.get(shardId)!, { body: {} }, { signal }),
  delete: (shardId, signal) => db.delete(keys.get(shardId)!, { signal }),
  load: (shardId, signal) => db.load(1, [{}, {}], { shardOf: () => shardId, signal }).finish(),
  query: (shardId) => db.shard(shardId).query('insert into notes default values'),
  pool: async (shardId) => {
    const client = await db.shard(shardId).pool.connect()
    try {
      return await client.query('insert into notes default values')
    } finally {
      client.release()
    }
  },
  transaction: (shardId, signal) => db.transaction(shardId, (tx) => tx.put(1, {}), { timeoutMs: 2 * BOUND_MS, signal }),
}

const reads: Record<string, Call> = {
  get: (shardId, signal) => db.get(keys.get(shardId)!, { signal }),
  exists: (shardId, signal) => db.exists(keys.get(shardId)!, { signal }),
  find: (shardId, signal) => db.find(shardId, { kind: 1 }, { signal }),
  scan: async (shardId, signal) => {
    for await (const _ of db.scan({ shards: [shardId], ...(signal && { signal }) })) return
  },
  'query that reads': (shardId) => db.shard(shardId).query('select * from notes'),
}

const causes = (error: unknown): unknown[] => (error instanceof Error ? [error, ...causes(error.cause)] : [])
const texts = (error: unknown): string => causes(error).map(String).join(' < ')

async function failuresOf(calls: Record<string, Call>, shardId: number): Promise<Record<string, string>> {
  const ends = Object.entries(calls).map(async ([name, call]) => {
    return [name, await call(shardId).then(() => 'it resolved', texts)] as const
  })
  return Object.fromEntries(await Promise.all(ends))
}

describe('while the catalog is silent', { timeout: 10_000 }, () => {
  it('every call to a shard that has left ends within its bound, and says that the catalog did not answer', async () => {
    for (const [name, text] of Object.entries(await failuresOf({ ...reads, ...writes }, 1))) {
      expect.soft(`${name}: ${text}`).toMatch(/the catalog did not answer|shard 1 .* does not exist/)
    }
  })

  it('every write into a shard behind a fence ends within its bound, and says that the catalog did not answer', async () => {
    for (const [name, text] of Object.entries(await failuresOf(writes, 2))) {
      expect.soft(`${name}: ${text}`).toMatch(/shard 2 (moves away|.*the catalog did not answer)/)
    }
  })

  it('a signal ends every call that takes one', async () => {
    for (const [name, call] of Object.entries({ ...reads, ...writes })) {
      if (call.length < 2) continue
      const controller = new AbortController()
      const reason = new Error('enough')
      setTimeout(() => controller.abort(reason), 50)
      const end = await call(1, controller.signal).then(() => 'it resolved', texts)
      expect.soft(`${name}: ${end}`).toContain('enough')
    }
  })

  it('what is opened ends with its signal', async () => {
    for (const open of [Datastore.open, Fleet.open]) {
      const opening = (open as typeof Fleet.open)({ catalog, signal: AbortSignal.timeout(50) })
      await expect(opening).rejects.toMatchObject({ name: 'TimeoutError' })
    }
  })

  it('a call on the catalog ends within its bound, and names it', async () => {
    const it = new Catalog(catalog)
    await expect(it.readFleet({ statementTimeoutMs: 300, connectionTimeoutMs: 300 })).rejects.toThrow('catalog')
    await it.close({ timeoutMs: 0 })
  })

  it('a datastore disconnects within its bound', async () => {
    await db.disconnect()
    expect(db.stats().map(({ total }) => total)).toEqual([0, 0, 0])
  })
})

describe('a fleet whose catalog falls silent', { timeout: 15_000 }, () => {
  const calls: Record<string, (operator: Fleet, signal: AbortSignal) => Promise<unknown>> = {
    readFleet: (it, signal) => it.readFleet({ signal }),
    history: (it, signal) => it.history({ signal }),
    moves: (it, signal) => it.moves({ signal }),
    observe: (it, signal) => it.observe(1, { signal }),
    planMove: (it, signal) => it.planMove(3, { to: 's3', signal }),
    moveShard: (it, signal) => it.moveShard(3, { to: 's3', signal }),
    resume: (it, signal) => it.resume(2, { signal }),
    complete: (it, signal) => it.complete(2, { signal }),
    reverse: (it, signal) => it.reverse(2, { signal }),
    abort: (it, signal) => it.abort(2, { signal }),
    doctor: (it, signal) => it.doctor({ signal }),
    'rebalance.plan': (it, signal) => it.rebalance.plan({ signal }),
    drainServer: (it, signal) => it.drainServer('s1', { signal }),
    activateServer: (it, signal) => it.activateServer('s1', { signal }),
    removeServer: (it, signal) => it.removeServer('s1', { signal }),
    addServer: (it, signal) => it.addServer('s9', { host: 'db' }, { signal }),
    importConnections: (it, signal) => it.importConnections([{ id: 's8', shards: '90-91', host: 'x' }], { signal }),
  }

  it('heeds the signal of every call', async () => {
    proxy.thaw()
    await using operator = await Fleet.open({ catalog })
    await operator.readFleet()
    proxy.freeze()
    for (const [name, call] of Object.entries(calls)) {
      const end = await call(operator, AbortSignal.timeout(30)).then(
        () => 'it resolved',
        (error: unknown) => String(error),
      )
      expect.soft(`${name}: ${end}`).toContain('TimeoutError')
    }
    proxy.thaw()
  })
})
