import { expect, test } from 'vitest'
import { explainNothing } from '../../src/cli/fleet/rebalance-command.ts'
import type { ServerLoad } from '../../src/fleet/rebalance/decide-rebalance.ts'

const load = (serverId: string, state: ServerLoad['state'], shards: number): ServerLoad => {
  return { serverId, state, before: shards, after: shards, shardsBefore: shards, shardsAfter: shards }
}

test.each([
  [[load('s1', 'active', 2), load('s2', 'draining', 0)], 'No shard needs to move.'],
  [[load('s1', 'draining', 2), load('s2', 'draining', 1)], 'although s1, s2 still hold shards: no server is active'],
  [[load('s1', 'active', 2), load('s2', 'draining', 1)], 'although s2 still hold shards: their moves are under way'],
])('a plan without moves says why', (loads, text) => {
  expect(explainNothing(loads)).toContain(text)
})
