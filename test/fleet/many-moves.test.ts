import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Fleet } from '../../src/fleet/fleet.ts'
import { startCluster, type Cluster } from '../../src/testing.ts'

/** As many as a rebalance may move at once, and some more. */
const REBALANCED = Array.from({ length: 16 }, (_, index) => index + 1)
const CALLED = [17, 18, 19, 20]

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

  it('may be moved by a rebalance of 16 at once, and by some calls beside it', { timeout: 240_000 }, async () => {
    const moves = REBALANCED.map((shardId) => ({ shardId, from: 's1', to: 's2', amount: 1 }))
    const [moved, ...called] = await Promise.all([
      fleet.rebalance.apply({ moves }, { concurrentMoves: 16, maxPauseMs: 120_000 }),
      ...CALLED.map((shardId) => fleet.moveShard(shardId, { to: 's2', maxPauseMs: 120_000 })),
    ])
    await Promise.all(called.map(({ moveId }) => fleet.complete(moveId)))
    expect(moved).toHaveLength(16)
    expect(await listHome('s2')).toEqual([...REBALANCED, ...CALLED])
    expect((await fleet.moves({ isOver: false })).length).toBe(0)
  })
})
