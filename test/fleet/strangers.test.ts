import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'

let servers: TestFleet
let fleet: Fleet
const clients: Client[] = []

beforeEach(async () => {
  servers = await createFleet()
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()))
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

/** A client of `pg` on a server, 0 …, that stays connected. */
async function connectTo(server: number): Promise<Client> {
  const client = new Client(servers.connections[server])
  await client.connect()
  clients.push(client)
  return client
}

const insert = "insert into shard0001.entities (type, body) values (1, '')"

/** `written`, or the SQLSTATE. */
async function tryWrite(client: Client): Promise<string> {
  try {
    await client.query(insert)
    return 'written'
  } catch (error) {
    return String((error as { code?: unknown }).code)
  }
}

/** Begins to read the shard, and stays in the transaction. */
async function readForLong(server: number): Promise<Client> {
  const client = await connectTo(server)
  await client.query('begin; select count(*) from shard0001.entities')
  return client
}

describe('a client that knows nothing of Hypervault', () => {
  it('writes where the shard lives, and nowhere else at any time of a move and of the way back', async () => {
    const [atSource, atTarget] = [await connectTo(0), await connectTo(2)]
    const seen: [string, string, string][] = []
    const onCheckpoint = async (place: string): Promise<void> => {
      if (['tables done', 'copy done', 'compare done', 'fenced', 'ready to switch', 'turn done'].includes(place))
        seen.push([place, await tryWrite(atSource), await tryWrite(atTarget)])
    }
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
    expect(seen).toEqual([
      ['tables done', 'written', 'HV001'],
      ['copy done', 'written', 'HV001'],
      ['compare done', 'written', 'HV001'],
      ['fenced', 'HV001', 'HV001'],
      ['ready to switch', 'HV001', 'HV001'],
      ['turn done', 'HV001', 'written'],
    ])
    expect(await fleet.reverse(moveId, { maxPauseMs: 60_000 })).toMatchObject({ mismatches: [], rows: 5 })
    expect([await tryWrite(atSource), await tryWrite(atTarget)]).toEqual(['written', '42P01'])
    const again = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await fleet.complete(again.moveId)
    expect([await tryWrite(atSource), await tryWrite(atTarget)]).toEqual(['42P01', 'written'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('writes into no copy that is about to be taken away', async () => {
    const atTarget = await connectTo(2)
    const seen: string[] = []
    const moving = fleet.moveShard(1, { to: 's3', maxPauseMs: 0 })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_PAUSE' })
    await fleet.abort(1, { onCheckpoint: async (place) => void seen.push(`${place}: ${await tryWrite(atTarget)}`) })
    expect(seen).toContain('publication removed at s3: HV001')
    expect(seen.filter((each) => each.endsWith('written'))).toEqual([])
  })
})

describe('a reader who does not come to an end', () => {
  it('keeps no writer waiting when a cutover comes to nothing', async () => {
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    const reader = await readForLong(0)
    const moving = fleet.moveShard(1, { to: 's3', maxPauseMs: 0 })
    await expect(moving).rejects.toMatchObject({ code: 'HV_MOVE_PAUSE' })
    await db.put(1, 1, {})
    await reader.query('commit')
    await fleet.abort(1)
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('keeps no writer waiting when the shard arrives, nor when it comes back', async () => {
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    const readers = [await readForLong(0)]
    const onCheckpoint = async (place: string): Promise<void> => {
      if (place === 'fenced') readers.push(await readForLong(2))
    }
    await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onCheckpoint })
    await db.put(1, 1, {})
    await expect(fleet.reverse(1, { maxPauseMs: 60_000 })).rejects.toMatchObject({ code: 'HV_SERVER_BUSY' })
    await db.put(1, 1, {})
    for (const reader of readers) await reader.query('commit')
    await fleet.resume(1)
    const [row] = await queryServer(servers, 0, 'select count(*)::int from shard0001.entities')
    expect(row).toEqual([2])
    expect(await listLeftovers(servers)).toEqual([])
  })
})
