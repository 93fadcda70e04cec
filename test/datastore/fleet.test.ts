import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { type Key } from '../../src/key/key.ts'
import { dropFenceSql, openFenceSql, raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { provision } from '../../src/schema/provision.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

let fleet: TestFleet

beforeEach(async () => {
  fleet = await createFleet()
})

afterEach(() => fleet[Symbol.asyncDispose]())

async function execute(server: number, ...statements: string[]): Promise<void> {
  const client = new Client(fleet.connections[server])
  await client.connect()
  await client.query(statements.join(';\n'))
  await client.end()
}

/** Places a shard on another server, as the switch of a move does. */
async function place(shardId: number, serverId: string): Promise<number> {
  const { epoch } = await fleet.catalog.change({ action: 'test', details: {} }, (session) =>
    session.read({
      text: 'update hypervault.placements set server_id = $2 where shard_id = $1',
      values: [String(shardId), serverId],
    }),
  )
  return epoch
}

function open(options: { topologyFile?: string; topologyPollMs?: number } = {}): Promise<Datastore> {
  return Datastore.open({ catalog: { ...fleet.catalogConnection }, ...options })
}

const fence = { shardId: 1, target: 's3', epoch: 3 }
const provisionTarget = (): Promise<unknown> =>
  provision([{ ...(fleet.connections[2] as ServerConnection), shards: '1-2' }])

describe('a datastore on a catalog', () => {
  it('knows the servers and the shards from it', async () => {
    await using db = await open()
    expect(db.topology.servers.map(({ serverId, shardIds }) => [serverId, shardIds])).toEqual([
      ['s1', [1, 2]],
      ['s2', [3, 4]],
      ['s3', []],
    ])
    const key = await db.put(3, 1, { beep: 'boop' })
    expect((await db.get(key))?.body).toEqual({ beep: 'boop' })
  })

  it('hears of a change by a notification', async () => {
    await using db = await open({ topologyPollMs: 3_600_000 })
    await until('the listener listens', async () => (await countListeners()) > 0)
    const epoch = await place(1, 's3')
    await until('the new epoch', () => db.topology.epoch === epoch)
    expect(db.topology.getServer(1).serverId).toBe('s3')
  })

  it('hears of a change by polling when nobody notifies', async () => {
    await using db = await open({ topologyPollMs: 50 })
    await fleet.catalog.withSession((session) =>
      session.execute([
        "update hypervault.placements set server_id = 's3' where shard_id = 1",
        'update hypervault.topology set epoch = epoch + 1',
      ]),
    )
    await until('the new place', () => db.topology.getServer(1).serverId === 's3')
  })

  it('goes on with the last topology while the catalog is down, and starts from the file', async () => {
    const topologyFile = join(makeTemporaryFolder('topology'), 'topology.json')
    const key = await (async () => {
      await using db = await open({ topologyFile })
      return await db.put(1, 1, { a: 'b' })
    })()
    expect(readFileSync(topologyFile, 'utf8')).not.toContain(fleet.connections[0]?.password)
    const down = { ...fleet.catalogConnection, port: 1 }
    await expect(Datastore.open({ catalog: down })).rejects.toMatchObject({ code: 'HV_CONNECT_FAILED' })
    await using db = await Datastore.open({ catalog: down, topologyFile })
    expect((await db.get(key))?.body).toEqual({ a: 'b' })
  })

  it('follows again after reinstantiate()', async () => {
    await using db = await open()
    await db.disconnect()
    await expect(db.put(1, 1, {})).rejects.toMatchObject({ code: 'HV_CLOSED' })
    await db.reinstantiate()
    const epoch = await place(2, 's3')
    await until('the new epoch', () => db.topology.epoch === epoch)
  })

  async function countListeners(): Promise<number> {
    const [row] = await fleet.catalog.withSession((session) =>
      session.read({
        text: `select count(*) from pg_stat_activity
          where query = 'listen hypervault_topology' and datname = current_database()`,
      }),
    )
    return Number(row?.[0])
  }
})

describe('a write that a fence refuses', () => {
  it.each([
    ['a single statement', (db: Datastore) => db.put(1, 1, { a: 'b' }, { batch: false })],
    ['a lane', (db: Datastore) => db.put(1, 1, { a: 'b' })],
    ['many at once', (db: Datastore) => db.putMany(1, 1, [{ a: 'b' }]).then(([key]) => key as Key)],
  ])('goes where the shard lives by %s, and is there once', async (_, put) => {
    await provisionTarget()
    await using db = await open({ topologyPollMs: 3_600_000 })
    await db.put(1, 1, {})
    await execute(0, ...raiseFenceSql(fence, ['entities']))
    const writing = put(db)
    await place(1, 's3')
    const key = await writing
    expect((await db.get(key))?.body).toEqual({ a: 'b' })
    expect(db.topology.getServer(1).serverId).toBe('s3')
  })

  it('goes on where it was when the fence is lowered', async () => {
    await using db = await open()
    await execute(0, ...raiseFenceSql(fence, ['entities']))
    const writes = Promise.all(Array.from({ length: 50 }, (_, index) => db.put(1, 1, { index: String(index) })))
    await execute(0, openFenceSql(1), ...dropFenceSql(1))
    expect(new Set((await writes).map(String)).size).toBe(50)
  })

  it('fails with HV_SHARD_MOVED when shards cannot move, and tells where it goes', async () => {
    await using db = new Datastore({ connections: [{ ...(fleet.connections[0] as ServerConnection), shards: '1-3' }] })
    await execute(0, ...raiseFenceSql(fence, ['entities']))
    for (const batch of [true, false]) {
      const error: unknown = await db.put(1, 1, {}, { batch }).catch((reason: unknown) => reason)
      expect(error).toMatchObject({
        code: 'HV_SHARD_MOVED',
        retryable: true,
        details: { shardId: 1, serverId: 's1', target: 's3', epoch: 3 },
      })
    }
    const statement = db.cursor(1, (client) => client.query('delete from shard0001.entities'))
    await expect(statement).rejects.toMatchObject({ code: 'HV_SHARD_MOVED' })
  })

  it('stops waiting when the signal says so', async () => {
    await using db = await open()
    await execute(0, ...raiseFenceSql(fence, ['entities']))
    for (const batch of [true, false]) {
      const controller = new AbortController()
      const writing = db.put(1, 1, {}, { batch, signal: controller.signal })
      controller.abort(new Error('enough'))
      await expect(writing).rejects.toThrow('enough')
    }
  })

  it('gives up when the shard does not arrive anywhere in time', async () => {
    await using db = await Datastore.open({ catalog: { ...fleet.catalogConnection }, poolBlockTimeoutMs: 300 })
    await db.put(1, 1, {})
    await execute(0, ...raiseFenceSql(fence, ['entities']))
    for (const batch of [true, false])
      await expect(db.put(1, 1, {}, { batch })).rejects.toMatchObject({ code: 'HV_SHARD_MOVED' })
  })
})

describe('a read of a shard that has left', () => {
  it.each([true, false])('follows it when the old schema is gone (batch: %s)', async (batch) => {
    await provisionTarget()
    await using db = await open({ topologyPollMs: 3_600_000 })
    const key = await db.put(1, 1, { a: 'b' })
    await execute(2, `insert into shard0001.entities (id, type, body) values (${String(key)}, 1, 'a=>b')`)
    await execute(0, 'drop schema shard0001 cascade')
    await fleet.catalog.withSession((session) =>
      session.execute([
        "update hypervault.placements set server_id = 's3' where shard_id = 1",
        'update hypervault.topology set epoch = epoch + 1',
      ]),
    )
    expect((await db.get(key, { batch }))?.body).toEqual({ a: 'b' })
  })
})
