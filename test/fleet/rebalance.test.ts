import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Datastore } from '../../src/datastore/datastore.ts'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { Key } from '../../src/key/key.ts'
import type { TestFleet } from '../support/fleet.ts'
import { listHomes, listLeftovers, queryServer } from './fleet-query.ts'
import { useFleet } from './use-fleet.ts'

let servers: TestFleet
let fleet: Fleet
useFleet((used) => ({ servers, fleet } = used))

describe('a rebalance', () => {
  it('empties a drained server while it is written, and then has nothing to do', async () => {
    await using db = await Datastore.open({ catalog: { ...servers.catalogConnection } })
    const acknowledged: Key[] = []
    let isOver = false
    const write = async (shardId: number): Promise<void> => {
      while (!isOver) {
        acknowledged.push(await db.put(shardId, 1, { n: String(acknowledged.length) }))
        await sleep(5)
      }
    }
    const writers = [1, 2].map(write)
    await fleet.drainServer('s1')
    const plan = await fleet.rebalance.plan({ by: 'count' })
    expect(plan.moves).toEqual([
      { shardId: 1, from: 's1', to: 's3', amount: 1 },
      { shardId: 2, from: 's1', to: 's3', amount: 1 },
    ])
    const told: number[] = []
    // Both moves make the extension on the new server.
    const applying = fleet.rebalance.apply(plan, {
      concurrentMoves: 2,
      maxPauseMs: 60_000,
      onMoved: ({ shardId }) => told.push(shardId),
    })
    const moved = await applying.finally(() => (isOver = true))
    await Promise.all(writers)
    expect([...told].sort()).toEqual([1, 2])
    expect(moved).toMatchObject(told.map((shardId) => ({ shardId, from: 's1', to: 's3' })))
    expect((await db.getMany(acknowledged)).every((entity) => entity !== undefined)).toBe(true)
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    expect(await listLeftovers(servers)).toEqual([])
    expect((await fleet.rebalance.plan({ by: 'count' })).moves).toEqual([])
    await fleet.removeServer('s1')
  })

  it('weighs shards by their bytes', async () => {
    for (const shardId of [1, 2]) {
      const rows = `select 1, hstore('x', md5(n::text)) from generate_series(1, 5000) as n`
      await queryServer(servers, 0, `insert into shard000${shardId}.entities (type, body) ${rows}`)
    }
    const { moves, loads } = await fleet.rebalance.plan()
    expect(moves).toMatchObject([{ from: 's1', to: 's3' }])
    expect(loads.map(({ shardsAfter }) => shardsAfter)).toEqual([1, 2, 1])
  })

  it('weighs shards by what is written to them', async () => {
    let isOver = false
    const write = async (): Promise<void> => {
      const insert = (shardId: number): string => `insert into shard000${shardId}.entities (type, body) values (1, '')`
      // A session that ends tells its counters at once.
      while (!isOver) await queryServer(servers, 0, `${insert(1)}; ${insert(2)}`)
    }
    const writer = write()
    const { moves } = await fleet.rebalance.plan({ by: 'writes', sampleMs: 1_500 })
    isOver = true
    await writer
    expect(moves).toMatchObject([{ from: 's1' }])
  })

  it('stops at a move that fails, and tells what has moved, what failed and what is left', async () => {
    await queryServer(servers, 0, 'create unlogged table shard0002.notes (id bigint primary key)')
    const moves = [1, 2, 3].map((shardId) => ({ shardId, from: shardId < 3 ? 's1' : 's2', to: 's3', amount: 1 }))
    await expect(fleet.rebalance.apply({ moves }, { maxPauseMs: 60_000 })).rejects.toMatchObject({
      code: 'HV_REBALANCE_STOPPED',
      details: {
        moved: [{ shardId: 1, from: 's1', to: 's3' }],
        failures: [{ shardId: 2, code: 'HV_MOVE_REFUSED', message: expect.stringContaining('set logged') as string }],
        left: [3],
      },
    })
    expect(await listHomes(servers, 1)).toEqual(['s3'])
    const [stopped] = await fleet.moves({ isOver: false })
    await fleet.abort(stopped?.moveId ?? 0)
  })

  it('ends with the reason of its signal, and no further move begins', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    await fleet.drainServer('s1')
    const applying = fleet.rebalance.apply(await fleet.rebalance.plan(), {
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase === 'copying') controller.abort(reason)
      },
    })
    await expect(applying).rejects.toBe(reason)
    const moves = await fleet.moves()
    expect(moves).toMatchObject([{ phase: 'copying' }])
    await fleet.abort(moves[0]?.moveId ?? 0)
    expect(await listLeftovers(servers)).toEqual([])
  })

  it('refuses options that cannot be, before anything is sent', async () => {
    const { rebalance } = fleet
    const plan = (options: object): Promise<unknown> => rebalance.plan(options)
    const apply = (options: object): Promise<unknown> => rebalance.apply({ moves: [] }, options)
    await expect(plan({ by: 'colour' })).rejects.toThrow('by must be one of bytes, writes, count, got "colour"')
    await expect(plan({ threshold: 2 })).rejects.toThrow('threshold must be 0 to 1, got 2')
    await expect(plan({ sampleMs: 0 })).rejects.toThrow('sampleMs must be an integer')
    await expect(apply({ concurrentMoves: 0 })).rejects.toThrow('concurrentMoves must be an integer')
    await expect(apply({ faster: true })).rejects.toThrow('unknown option faster')
  })
})
