import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { startCluster, type Cluster } from '../../src/testing.ts'

const SHARDS = Array.from({ length: 20 }, (_, index) => index + 1)

/** As PostgreSQL has it by default. */
const settings = { max_connections: 100 }

describe('many small shards', () => {
  let cluster: Cluster
  let fleet: Fleet

  beforeAll(async () => {
    cluster = await startCluster({ servers: 2, serversWithShards: 1, shards: '1-21', catalog: true, settings })
    fleet = await Fleet.open({ catalog: cluster.catalog ?? '' })
  })

  afterAll(async () => {
    await fleet.close()
    await cluster.stop()
  })

  const listHome = async (serverId: string): Promise<readonly number[]> => {
    const { servers } = await fleet.readFleet()
    return servers.find((server) => server.serverId === serverId)?.shardIds ?? []
  }

  it('may be moved by 20 calls at once, and by a rebalance of 16 at once', { timeout: 240_000 }, async () => {
    const moves = await Promise.all(
      SHARDS.map((shardId) => fleet.moveShard(shardId, { to: 's2', maxPauseMs: 120_000 })),
    )
    await Promise.all(moves.map(({ moveId }) => fleet.complete(moveId)))
    expect(await listHome('s2')).toEqual(SHARDS)
    const back = SHARDS.slice(0, 16).map((shardId) => ({ shardId, from: 's2', to: 's1', amount: 1 }))
    const moved = await fleet.rebalance.apply({ moves: back }, { concurrentMoves: 16, maxPauseMs: 120_000 })
    expect(moved).toHaveLength(16)
    expect(await listHome('s1')).toEqual(SHARDS.slice(0, 16))
    expect((await fleet.moves({ isOver: false })).length).toBe(0)
  })
})
