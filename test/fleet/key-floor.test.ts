import { describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { Fleet } from '../../src/fleet/fleet.ts'
import { provision } from '../../src/schema/provision.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

const MAX_PAUSE_MS = 60_000

/** From now on the clock of s1, s2 or s3 is so far behind, for every session that begins. */
async function setBack(seconds: number, server = 3): Promise<void> {
  await queryServer(
    servers,
    server - 1,
    `create schema if not exists behind;
     create or replace function behind.clock_timestamp() returns timestamptz language sql volatile
       as $$ select pg_catalog.clock_timestamp() - interval '${seconds} seconds' $$;
     do $$ begin execute format('alter database %I set search_path = behind, pg_catalog, public', current_database()); end $$`,
  )
}

describe('the clock of the new server', () => {
  it('may be 5 s behind, and then catch up: no key comes twice, and none at or below the highest', async () => {
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    await setBack(5)
    const [clocks] = await queryServer(
      servers,
      2,
      'select pg_catalog.clock_timestamp() - clock_timestamp() > interval $$4 s$$',
    )
    expect(clocks).toEqual([true])
    const bodies = Array.from({ length: 2_500 }, (_, n) => ({ n: String(n) }))
    let highest = 0n
    const seen = new Set<bigint>()
    /** Puts one by one and many at once; every key is above all keys that were there before. */
    const put = async (): Promise<void> => {
      const singles = await Promise.all(bodies.map((body) => db.put(1, 1, body)))
      const many = await db.putMany(1, 1, bodies)
      const ids = [...singles, ...many].map(({ id }) => id)
      expect(ids.filter((id) => id <= highest || seen.has(id))).toEqual([])
      for (const id of ids) seen.add(id)
      expect(seen.size % (2 * bodies.length)).toBe(0)
      highest = ids.reduce((left, right) => (left > right ? left : right))
    }
    await put()
    const { moveId } = await fleet.moveShard(1, { to: 's3', maxPauseMs: MAX_PAUSE_MS })
    await put()
    await setBack(0)
    await put()
    expect(await fleet.reverse(moveId, { maxPauseMs: MAX_PAUSE_MS })).toMatchObject({ mismatches: [] })
    await put()
  })

  it('may be behind when a cutover ends just before the switch: the move is resumed', async () => {
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    await setBack(5)
    const { id } = await db.put(1, 1, {})
    const enough = new Error('enough')
    const onCheckpoint = (name: string): void => {
      if (name === 'ready to switch') throw enough
    }
    await expect(fleet.moveShard(1, { to: 's3', maxPauseMs: MAX_PAUSE_MS, onCheckpoint })).rejects.toBe(enough)
    expect(await fleet.resume(1)).toMatchObject({ mismatches: [] })
    expect((await db.put(1, 1, {})).id).toBeGreaterThan(id)
    await fleet.complete(1)
    expect(await listLeftovers(servers)).toEqual([])
  })
})

describe('a shard without rows', () => {
  let highest = 0n

  /** Draws keys where the shard lives, by a session that stores none of them: each is above all that were drawn before. */
  async function draw(server: number): Promise<void> {
    const rows = await queryServer(servers, server - 1, 'select shard0001.next_id()::text from generate_series(1, 300)')
    const ids = rows.map(([id]) => BigInt(id as string))
    expect(ids.filter((id) => id <= highest)).toHaveLength(0)
    highest = ids.reduce((left, right) => (left > right ? left : right))
  }

  /** Stops the first attempt right at a place, as a crash would, and goes on. */
  async function move(to: string, place?: string): Promise<number> {
    const onCheckpoint = (name: string): void => {
      if (name === place) throw new Error('enough')
    }
    const moving = fleet.moveShard(1, { to, maxPauseMs: MAX_PAUSE_MS, onCheckpoint })
    if (place === undefined) return (await moving).moveId
    await expect(moving).rejects.toThrow('enough')
    const [{ moveId } = { moveId: 0 }] = await fleet.moves()
    await fleet.resume(moveId)
    return moveId
  }

  it.each(['ready to switch', 'switched'])(
    'repeats no key on servers whose clocks are more and more behind, and back again; stopped at: %s',
    async (place) => {
      highest = 0n
      await setBack(20, 2)
      await setBack(40, 3)
      await draw(1)
      const first = await move('s2', place)
      await draw(2)
      // To look after the shards of a server takes no floor away.
      await provision([{ ...servers.connections[1], shards: '1-2' }])
      await draw(2)
      await fleet.complete(first)
      const second = await move('s3', place)
      await draw(3)
      await fleet.reverse(second, { maxPauseMs: MAX_PAUSE_MS })
      await draw(2)
      await move('s1')
      await draw(1)
    },
  )
})
