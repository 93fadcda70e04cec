import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type ConnectionEntry, type CountOptions } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = databases.connections.map((connection, n) => ({ ...connection, shards: n === 0 ? '1-3' : '3-5' }))
  await provision(connections)
  db = new Datastore({ connections })
  for (const shardId of [1, 2, 3, 4]) {
    const bodies = Array.from({ length: shardId * 10 }, (_, n) => ({ parity: String(n % 2) }))
    await db.putMany(shardId, shardId % 2, bodies)
  }
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

describe('a count', () => {
  it('counts each shard, and all together', async () => {
    expect(await db.count()).toEqual({
      total: 100,
      shards: [10, 20, 30, 40].map((count, n) => ({ shardId: n + 1, count })),
      missingShards: [],
    })
  })

  it('counts what is asked for', async () => {
    const total = async (options: CountOptions): Promise<number> => (await db.count(options)).total
    expect(await total({ kind: 1 })).toBe(40)
    expect(await total({ shards: [4, 2, 4] })).toBe(60)
    expect(await total({ where: { equals: { parity: '1' } }, kind: 0 })).toBe(30)
    const created = (await db.find(1, { limit: 1 }))[0]!.key.created
    expect(await total({ createdAfter: created, createdBefore: new Date('2060-01-01') })).toBe(100)
    expect(await total({ createdBefore: created })).toBe(0)
    expect(await total({ createdAfter: new Date('2060-01-01'), kind: 1 })).toBe(0)
    expect(await total({ createdBefore: new Date('1990-01-01') })).toBe(0)
  })

  const broken = (): Datastore =>
    new Datastore({ connections: [...connections, { port: 1, host: '127.0.0.1', shards: '5-7' }] })

  it('with shards that do not answer fails, and tells what the others have', async () => {
    await using db = broken()
    const error: unknown = await db.count({ shards: [2, 5, 6, 9] }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'HV_COUNT_FAILED',
      retryable: true,
      details: {
        counted: [{ shardId: 2, count: 20 }],
        failures: [
          { shardId: 5, serverId: 's3', code: 'HV_CONNECT_FAILED' },
          { shardId: 6, serverId: 's3', code: 'HV_CONNECT_FAILED' },
          { shardId: 9, code: 'HV_SHARD_UNKNOWN' },
        ],
      },
    })
    expect((error as Error).message).toContain(
      '3 of 4 shards could not be counted: s3, 2 shards (5-6): could not connect to server s3',
    )
  })

  it('leaves them out and names them if it is told to', async () => {
    await using db = broken()
    const { total, missingShards } = await db.count({ onShardError: 'skip' })
    expect(total).toBe(100)
    expect(missingShards).toMatchObject([5, 6].map((shardId) => ({ shardId, error: { code: 'HV_CONNECT_FAILED' } })))
  })

  it('rejects with the reason of its signal', async () => {
    const reason = new Error('enough')
    await expect(db.count({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const counting = db.count({ signal: controller.signal, onShardError: 'skip' })
    controller.abort(reason)
    await expect(counting).rejects.toBe(reason)
  })

  it('refuses what is no option of it', async () => {
    await expect(db.count({ order: 'asc' } as never)).rejects.toThrow(
      new TypeError(
        'unknown option order: a count takes kind, where, createdAfter, createdBefore, shards, onShardError, signal',
      ),
    )
  })
})
