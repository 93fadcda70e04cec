import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, type Key, type Transaction } from '../../src/index.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { provision } from '../../src/schema/provision.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'

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

/** Raises a fence on shard 1, and places the shard on the third server, as the switch of a move does. */
async function moveShard(): Promise<void> {
  await provision([{ ...(fleet.connections[2] as ServerConnection), shards: '1-2' }])
  await execute(0, ...raiseFenceSql({ shardId: 1, target: 's3', epoch: 3 }, ['entities']))
  await fleet.catalog.change({ action: 'test', details: {} }, (session) =>
    session.read({ text: `update hypervault.placements set server_id = 's3' where shard_id = 1`, values: [] }),
  )
}

/** Copies an entity as a move does. */
async function copy(key: Key): Promise<void> {
  await execute(2, `insert into shard0001.entities (id, type, body) values (${key.toString()}, 1, 'n=>0')`)
}

describe('when a shard moves', () => {
  it('a transaction that its fence refuses is run again where the shard lives', async () => {
    await using db = await Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 60_000 })
    const old = await db.put(1, 1, { n: '0' })
    const servers: string[] = []
    const key = await db.transaction(1, async (tx) => {
      servers.push(tx.serverId)
      if (servers.length === 1) {
        await moveShard()
        await copy(old)
      }
      const made = await tx.put(1, { at: tx.serverId })
      await tx.query(`update entities set body = body || hstore('n', '1') where id = $1`, [old.toString()])
      return made
    })
    expect(servers).toEqual(['s1', 's3'])
    expect((await db.getMany([key, old])).map((entity) => entity?.body)).toEqual([{ at: 's3' }, { n: '1' }])
  })

  it('a transaction does not go after another shard that its work has asked for', async () => {
    await using db = await Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 60_000 })
    await execute(1, 'drop schema shard0003 cascade')
    let runs = 0
    const work = async (): Promise<void> => {
      runs += 1
      await db.put(3, 1, {})
    }
    await expect(db.transaction(1, work, { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'HV_SHARD_MISSING',
      details: { serverId: 's2', shardId: 3 },
    })
    expect(runs).toBe(1)
  })

  it('a transaction that runs once gets HV_SHARD_MOVED', async () => {
    await using db = await Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 60_000 })
    const work = async (tx: Transaction): Promise<void> => {
      await moveShard()
      await tx.put(1, {})
    }
    await expect(db.transaction(1, work, { retry: false })).rejects.toMatchObject({
      code: 'HV_SHARD_MOVED',
      details: { serverId: 's1', target: 's3' },
    })
  })

  it.each([
    ['in lanes', true],
    ['alone', false],
  ])('updates and deletes go after it, %s', async (_way, batch) => {
    await using db = await Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 60_000, batch })
    const [a, b] = (await db.putMany(1, 1, [{ n: '0' }, { n: '0' }])) as [Key, Key]
    await moveShard()
    await copy(a)
    await copy(b)
    const outcomes = await Promise.all([
      db.update(a, { set: { n: '1' } }, { ifBody: { n: '0' } }),
      db.update(b, { set: { n: '1' } }),
      db.delete(b, { ifUpdatedAt: new Date(0) }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['changed', 'changed', 'conflict'])
    expect(await db.deleteMany([a, b])).toEqual([true, true])
  })
})
