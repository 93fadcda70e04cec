import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveProgress } from '../../src/fleet/move/move-context.ts'
import type { Key } from '../../src/key/key.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'

let servers: TestFleet
let fleet: Fleet
let db: Datastore

beforeEach(async () => {
  servers = await createFleet()
  fleet = await Fleet.open({ catalog: { ...servers.catalogConnection } })
  db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
})

afterEach(async () => {
  await db.disconnect()
  await fleet.close()
  await servers[Symbol.asyncDispose]()
})

const pace = (): Promise<void> => sleep(5)

/** Rows that a shard has besides its entities: what has run in it. */
const ROWS_OF_MIGRATIONS = 1

const bodies = (count: number): { n: string }[] => Array.from({ length: count }, (_, n) => ({ n: String(n) }))

describe('a shard that moves', () => {
  it('lives on the other server with all its rows, and nothing is left', async () => {
    const keys = await db.putMany(1, 1, bodies(5_000))
    const report = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    const rows = 5_000 + ROWS_OF_MIGRATIONS
    expect(report).toMatchObject({ shardId: 1, source: 's1', target: 's3', rows, mismatches: [], isExact: true })
    const later = await db.put(1, 1, { n: 'later' })
    expect(db.topology.getServer(1).serverId).toBe('s3')
    await fleet.complete(report.moveId)
    const found = await db.getMany([...keys, later])
    expect(found.map((each) => each?.body.n)).toEqual([...keys.map((_, n) => String(n)), 'later'])
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('comes back with what was written in the meantime', async () => {
    const first = await db.put(1, 1, { n: 'first' })
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    const second = await db.put(1, 1, { n: 'second' })
    expect(await fleet.reverse(moveId, { maxPauseMs: 60_000 })).toMatchObject({
      mismatches: [],
      rows: 2 + ROWS_OF_MIGRATIONS,
    })
    const third = await db.put(1, 1, { n: 'third' })
    expect(db.topology.getServer(1).serverId).toBe('s1')
    const found = await db.getMany([first, second, third])
    expect(found.map((each) => each?.body.n)).toEqual(['first', 'second', 'third'])
    expect(await listHomes(servers, 1)).toEqual(['s1'])
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('loses and doubles nothing that is written meanwhile', { timeout: 180_000 }, async () => {
    const acknowledged: Key[] = []
    let isOver = false
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; !isOver; n += 1) {
        acknowledged.push(await db.put(1, writer, { n: String(n) }))
        // Writers that never pause may write faster than any stream can follow.
        await pace()
      }
    })
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    await fleet.complete(moveId)
    const before = acknowledged.length
    const again = await fleet.moveShard(1, { to: 's1', maxPauseMs: 60_000 })
    await fleet.reverse(again.moveId, { maxPauseMs: 60_000 })
    isOver = true
    await Promise.all(writers)
    expect(acknowledged.length).toBeGreaterThan(before)
    const rows = await queryServer(servers, 2, 'select id::text from shard0001.entities order by id')
    expect(rows.map(([id]) => id)).toEqual(acknowledged.sort((a, b) => (a.id < b.id ? -1 : 1)).map(String))
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('tells phases, rows and lag while it goes on', async () => {
    await db.putMany(1, 1, bodies(100))
    const events: MoveProgress[] = []
    await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000, onProgress: (event) => events.push(event) })
    expect([...new Set(events.map(({ phase }) => phase))]).toEqual(['preparing', 'copying', 'catching-up', 'switched'])
    expect(events.some(({ lagBytes }) => lagBytes !== undefined)).toBe(true)
    expect(events.find(({ step }) => step === 'turn')?.phase).toBe('switched')
    expect(events.at(-1)).toMatchObject({
      moveId: 1,
      shardId: 1,
      source: 's1',
      target: 's3',
      rows: 100 + ROWS_OF_MIGRATIONS,
    })
  })

  it('is written down with its report, for whoever lists the moves', async () => {
    const { moveId, pauseMs } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    expect(await fleet.moves({ isOver: false })).toMatchObject([{ moveId, phase: 'mirroring', report: { pauseMs } }])
    await fleet.complete(moveId)
    await fleet.complete(moveId)
    expect(await fleet.moves()).toMatchObject([{ moveId, phase: 'completed', isOver: true, problem: undefined }])
  })

  it('issues no key at or below the highest one, though the clock of the new server is behind', async () => {
    const ahead = `(extract(epoch from clock_timestamp() + interval '5 seconds') * 1000)::bigint - 1379365531352`
    await queryServer(
      servers,
      0,
      `insert into shard0001.entities (id, type, body) values (((${ahead}) << 23) | (1 << 10) | 1023, 1, '')`,
    )
    const [[highest]] = (await queryServer(servers, 0, 'select max(id)::text from shard0001.entities')) as [[string]]
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: 60_000 })
    const singles = await Promise.all(bodies(3_000).map((body) => db.put(1, 1, body)))
    const many = await db.putMany(1, 1, bodies(3_000))
    const ids = [...singles, ...many].map(({ id }) => id)
    expect(new Set(ids).size).toBe(6_000)
    expect(ids.every((id) => id > BigInt(highest))).toBe(true)
    await fleet.complete(moveId)
  })
})
