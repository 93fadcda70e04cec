import { array, assert, constantFrom, integer, property, record, boolean, tuple, double } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideNext } from '../../src/fleet/rebalance/decide-next.ts'
import {
  decideRebalance,
  type LoadedServer,
  type PlannedMove,
  type ServerLoad,
  type WeighedShard,
} from '../../src/fleet/rebalance/decide-rebalance.ts'

const names = ['s1', 's2', 's3', 's4', 's5']

const fleets = tuple(
  array(constantFrom('active', 'active', 'draining'), { minLength: 1, maxLength: 5 }),
  array(record({ at: integer({ min: 0, max: 4 }), amount: integer({ min: 0, max: 1_000 }), isMoving: boolean() }), {
    maxLength: 30,
  }),
  double({ min: 0, max: 1, noNaN: true }),
).map(([states, shards, threshold]) => ({
  servers: states.map((state, at): LoadedServer => ({
    serverId: names[at] ?? '',
    state: state,
  })),
  shards: shards.map(({ at, amount, isMoving }, shardId): WeighedShard => {
    return { shardId, serverId: names[at % states.length] ?? '', amount, isMoving: isMoving && amount % 7 === 0 }
  }),
  threshold,
}))

const after = (shards: readonly WeighedShard[], moves: readonly PlannedMove[]): WeighedShard[] => {
  const homes = new Map(moves.map(({ shardId, to }) => [shardId, to]))
  return shards.map((shard) => ({ ...shard, serverId: homes.get(shard.shardId) ?? shard.serverId }))
}

/** How far the active servers are apart. */
const spread = (loads: readonly ServerLoad[], of: 'before' | 'after'): number => {
  const active = loads.filter(({ state }) => state === 'active').map((load) => load[of])
  return active.length === 0 ? 0 : Math.max(...active) - Math.min(...active)
}

describe('a plan to rebalance', () => {
  it('is stable: on its result there is nothing to do', () => {
    assert(
      property(fleets, ({ servers, shards, threshold }) => {
        const { moves } = decideRebalance(servers, shards, threshold)
        expect(decideRebalance(servers, after(shards, moves), threshold).moves).toEqual([])
      }),
    )
  })

  it('never leaves the servers further apart than they were, unless one has to be emptied', () => {
    assert(
      property(fleets, ({ servers, shards, threshold }) => {
        const active = servers.map((server) => ({ ...server, state: 'active' as const }))
        const { loads, moves } = decideRebalance(active, shards, threshold)
        expect(spread(loads, 'after')).toBeLessThanOrEqual(spread(loads, 'before'))
        if (spread(loads, 'before') <= (threshold * sum(shards)) / active.length) expect(moves).toEqual([])
      }),
    )
  })

  it('gives shards to active servers alone, empties the others, and leaves alone what moves already', () => {
    assert(
      property(fleets, ({ servers, shards, threshold }) => {
        const active = servers.filter(({ state }) => state === 'active').map(({ serverId }) => serverId)
        const { moves } = decideRebalance(servers, shards, threshold)
        expect(moves.every(({ from, to }) => from !== to && active.includes(to))).toBe(true)
        expect(new Set(moves.map(({ shardId }) => shardId)).size).toBe(moves.length)
        expect(moves.some(({ shardId }) => shards[shardId]?.isMoving)).toBe(false)
        const left = after(shards, moves).filter(({ serverId, isMoving }) => !isMoving && !active.includes(serverId))
        if (active.length > 0) expect(left).toEqual([])
      }),
    )
  })

  it('leaves a difference alone that is not larger than the threshold', () => {
    const shards = Array.from({ length: 205 }, (_, shardId) => {
      return { shardId, serverId: shardId < 105 ? 's1' : 's2', amount: 1, isMoving: false }
    })
    const servers = ['s1', 's2'].map((serverId) => ({ serverId, state: 'active' as const }))
    expect(decideRebalance(servers, shards, 0.1).moves).toEqual([])
    expect(decideRebalance(servers, shards, 0.01).moves.length).toBe(2)
  })

  it('fills a server that joins, with few moves', () => {
    const shards = Array.from({ length: 16 }, (_, shardId) => {
      return { shardId, serverId: shardId < 8 ? 's1' : 's2', amount: 1, isMoving: false }
    })
    const servers = ['s1', 's2', 's3'].map((serverId) => ({ serverId, state: 'active' as const }))
    const { moves, loads } = decideRebalance(servers, shards, 0.1)
    expect(moves.length).toBe(5)
    expect(loads.map(({ shardsAfter }) => shardsAfter).sort()).toEqual([5, 5, 6])
  })
})

describe('the moves that may begin', () => {
  const move = (shardId: number, from: string, to: string): PlannedMove => ({ shardId, from, to, amount: 1 })

  it('keep the limit of each server, as source and as target, and the order', () => {
    const waiting = [move(1, 's1', 's3'), move(2, 's2', 's3'), move(3, 's2', 's4'), move(4, 's1', 's4')]
    const idsOf = (moves: PlannedMove[]): number[] => moves.map(({ shardId }) => shardId)
    expect(idsOf(decideNext(waiting, [], 1))).toEqual([1, 3])
    expect(idsOf(decideNext(waiting, [], 2))).toEqual([1, 2, 3, 4])
    expect(idsOf(decideNext(waiting, [move(9, 's4', 's2')], 1))).toEqual([1])
  })
})

function sum(shards: readonly WeighedShard[]): number {
  return shards.reduce((total, { amount }) => total + amount, 0)
}
