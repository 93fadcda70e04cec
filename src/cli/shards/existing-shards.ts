import type { ServerPlan } from '../../schema/plan-server.ts'
import type { Server } from '../../topology/connection-entry.ts'

/** Narrows servers to the shards that are there, as their plans have found them. */
export function narrowToExisting(servers: readonly Server[], plans: readonly ServerPlan[]): Server[] {
  return servers.map((server) => {
    const plan = plans.find(({ serverId }) => serverId === server.serverId)
    const existing = (plan?.shards ?? []).filter(({ outcome }) => outcome !== 'created')
    return Object.freeze({ ...server, shardIds: existing.map(({ shardId }) => shardId) })
  })
}
