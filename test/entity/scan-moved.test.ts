import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, type Entity, type Key } from '../../src/index.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { provision } from '../../src/schema/provision.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'

/** Shards 1 and 2 are on `s1`, 3 and 4 on `s2`; `s3` is empty. */
let fleet: TestFleet
let keys: Key[]

beforeEach(async () => {
  fleet = await createFleet()
  await provision([{ ...(fleet.connections[2] as ServerConnection), shards: '1-2' }])
  await using db = await open()
  const bodies = Array.from({ length: 2_000 }, (_, n) => ({ n: String(n) }))
  const others = await Promise.all([2, 3, 4].map((shardId) => db.putMany(shardId, 1, bodies)))
  // The last in the order of the scan, so that it has not been read yet when the shard moves.
  const batches = [...others, await db.putMany(1, 1, bodies)]
  keys = batches.flat().sort((a, b) => Number(BigInt.asIntN(64, a.id - b.id)))
})
afterEach(() => fleet[Symbol.asyncDispose]())

async function execute(server: number, sql: string): Promise<unknown[][]> {
  const client = new Client(fleet.connections[server])
  await client.connect()
  const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
  await client.end()
  return rows
}

const open = (): Promise<Datastore> =>
  Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 3_600_000 })

/** Brings the rows of shard 1 to `s3`, and says so in the catalog; with a notification, or without. */
async function move({ isNotified }: { isNotified: boolean }): Promise<void> {
  const rows = await execute(0, 'select id::text, body::text from shard0001.entities')
  const values = rows.map(([id, body]) => `(${String(id)}, 1, '${String(body)}')`)
  await execute(2, `insert into shard0001.entities (id, type, body) values ${values.join(', ')}`)
  const placing = "update hypervault.placements set server_id = 's3' where shard_id = 1"
  if (isNotified) {
    await fleet.catalog.change({ action: 'test', details: {} }, (session) =>
      session.read({ text: placing, values: [] }),
    )
  } else {
    await fleet.catalog.withSession((session) =>
      session.execute([placing, 'update hypervault.topology set epoch = epoch + 1']),
    )
  }
}

/** Scans all, and does something after some entities. */
async function scanWith(db: Datastore, after: number, happen: () => Promise<void>): Promise<Entity[]> {
  const entities: Entity[] = []
  for await (const page of db.scan({ pageSize: 50 }).pages()) {
    const before = entities.length
    entities.push(...page.entities)
    if (before < after && entities.length >= after) await happen()
  }
  return entities
}

describe('when a shard moves during a scan', () => {
  it('and its old schema is dropped, the scan follows it, and gives each entity once', async () => {
    await using db = await open()
    const entities = await scanWith(db, 100, async () => {
      await move({ isNotified: false })
      await execute(0, 'drop schema shard0001 cascade')
    })
    expect(entities.map(({ key }) => String(key))).toEqual(keys.map(String))
    expect(db.topology.getServer(1).serverId).toBe('s3')
  })

  it('the scan reads it where it lives as soon as that is known', async () => {
    await using db = await open()
    const entities = await scanWith(db, 100, async () => {
      await move({ isNotified: true })
      while (db.topology.getServer(1).serverId !== 's3') await new Promise(setImmediate)
      await execute(2, `update shard0001.entities set body = 'on=>s3'`)
      await execute(0, `update shard0001.entities set body = 'on=>s1'`)
    })
    expect(entities.map(({ key }) => String(key))).toEqual(keys.map(String))
    const places = entities.filter(({ key }) => key.shardId === 1).map(({ body }) => body.on)
    expect(places.at(-1)).toBe('s3')
    // A read that was under way may have met the old rows, none that was begun afterwards.
    expect(places.lastIndexOf('s1')).toBeLessThan(places.indexOf('s3'))
  })

  it('a count follows it', async () => {
    await using db = await open()
    await move({ isNotified: false })
    await execute(0, 'drop schema shard0001 cascade')
    expect(await db.count()).toMatchObject({ total: 8_000, missingShards: [] })
  })
})
