import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { MoveProgress } from '../../src/fleet/move/move-context.ts'
import type { Key } from '../../src/key/key.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

const LIMIT = 128 * 1024

/** What it takes to fill the limit for some two seconds. */
const filler = `insert into shard0001.entities (type, body)
  select 1, hstore('n', repeat(n::text, 20)) from generate_series(1, 2000) as n`

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

/** Writes until it is told to end, and gives the keys that were acknowledged. */
async function writeUntil(isOver: AbortSignal): Promise<string[]> {
  await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
  const keys: Key[] = []
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    while (!isOver.aborted) {
      keys.push(await db.put(1, writer, { n: String(keys.length) }))
      // Writers that never pause may write faster than any stream can follow.
      await sleep(5)
    }
  })
  await Promise.all(writers)
  return keys.map(String)
}

async function listIds(server: number): Promise<string[]> {
  return (await queryServer(servers, server, 'select id::text from shard0001.entities')).map(([id]) => id as string)
}

describe('a throttled move', () => {
  it('takes the time that its limit asks for, tells how far it is, and loses and doubles nothing', async () => {
    await queryServer(servers, 0, filler)
    const before = await listIds(0)
    const over = new AbortController()
    const writing = writeUntil(over.signal)
    const events: (MoveProgress & { at: number })[] = []
    const onProgress = (event: MoveProgress): void => void events.push({ ...event, at: performance.now() })
    const how = { to: 's3', maxPauseMs: 60_000, throttleBytesPerSecond: LIMIT, onProgress }
    const { moveId, rows } = await fleet.moveShard(1, how)
    await fleet.complete(moveId)
    over.abort()
    const acknowledged = [...before, ...(await writing)]
    expect((await listIds(2)).sort()).toEqual(acknowledged.sort())
    expect(await listLeftovers(servers)).toEqual([])
    const copying = events.filter(({ step, bytes }) => step === 'copy rows' && Number(bytes) > 0)
    const [first, last] = [copying[0], copying.at(-1)]
    expect(copying.length).toBeGreaterThan(2)
    expect(first?.rows).toBeLessThan(Number(last?.rows))
    expect(Number(last?.rows)).toBeGreaterThanOrEqual(before.length)
    expect(Number(last?.rows)).toBeLessThanOrEqual(rows)
    expect(Number(last?.retainedBytes)).toBeGreaterThan(0)
    const begunAt = events.find(({ step }) => step === 'throttled copy')?.at ?? Infinity
    // No more than the limit lets through; what a pause may still owe at the end is less than 10 ms.
    expect(Number(last?.at) - begunAt + 10).toBeGreaterThanOrEqual((Number(last?.bytes) * 1_000) / LIMIT)
  })

  it('lets nobody write at the target before the switch, and nobody wait for it', async () => {
    await queryServer(servers, 0, filler)
    const refusals: unknown[] = []
    const onCheckpoint = async (name: string): Promise<void> => {
      if (!name.startsWith('throttled copy')) return
      const write = queryServer(servers, 2, "insert into shard0001.entities (type, body) values (1, '')")
      refusals.push(await write.catch((error: unknown) => (error as { code?: string }).code))
    }
    const how = { to: 's3', maxPauseMs: 60_000, throttleBytesPerSecond: 10_000_000 }
    const { mismatches } = await fleet.moveShard(1, { ...how, onCheckpoint })
    expect(mismatches).toEqual([])
    expect(refusals.length).toBeGreaterThan(4)
    expect(new Set(refusals)).toEqual(new Set(['HV001']))
  })

  it('that is stopped in the middle of a table is gone at once, and abort leaves nothing', async () => {
    await queryServer(servers, 0, filler)
    const stop = new AbortController()
    const reason = new Error('enough')
    const onProgress = ({ step, bytes = 0 }: MoveProgress): void => {
      if (step === 'copy rows' && bytes > 0) stop.abort(reason)
    }
    const options = { to: 's3', throttleBytesPerSecond: 64 * 1024, onProgress, signal: stop.signal }
    await expect(fleet.moveShard(1, options)).rejects.toBe(reason)
    const [move] = await fleet.moves()
    expect(move).toMatchObject({ phase: 'copying', options: { throttleBytesPerSecond: 64 * 1024 } })
    await fleet.abort(move?.moveId ?? 0)
    expect(await listLeftovers(servers)).toEqual([])
    const sessions = `select from pg_stat_activity where application_name like 'hv_copy%' and datname = current_database()`
    expect([await queryServer(servers, 0, sessions), await queryServer(servers, 2, sessions)]).toEqual([[], []])
  })

  it('with a limit that is none is refused, and nothing is sent', async () => {
    for (const limit of [0, 65_535, 1.5, Infinity, Number.NaN, '20MB']) {
      const throttle = { throttleBytesPerSecond: limit as number }
      const error = typeof limit === 'string' ? TypeError : RangeError
      await expect(fleet.moveShard(1, { to: 's3', ...throttle })).rejects.toThrow(error)
      await expect(fleet.planMove(1, { to: 's3', ...throttle })).rejects.toThrow(error)
      await expect(fleet.rebalance.apply({ moves: [] }, throttle)).rejects.toThrow(error)
    }
    expect(await fleet.moves()).toEqual([])
  })
})
