import { HypervaultError } from '../../errors.ts'
import type { Topology } from '../../topology/topology.ts'
import { labelOf } from './migration.ts'
import type { ShardState } from './state/shard-state.ts'
import type { Surveys } from './survey.ts'

/** Throws `HV_MIGRATION_BEHIND` unless a migration, by its id or by id and name, has run in every shard. */
export function assertAllAt(required: string, { servers }: Topology, { surveys, problems }: Surveys): void {
  const behind = surveys
    .map(({ serverId, states }) => ({
      serverId,
      shardIds: states.filter((state) => !hasRun(required, state)).map(idOf),
    }))
    .filter(({ shardIds }) => shardIds.length > 0)
  const unreachable = [...problems.keys()]
  if (behind.length === 0 && unreachable.length === 0) return
  const lacking = behind.reduce((sum, { shardIds }) => sum + shardIds.length, 0)
  const total = servers.reduce((sum, { shardIds }) => sum + shardIds.length, 0)
  const parts = [
    ...(lacking > 0 ? [`${lacking} of ${total} shards lack it`] : []),
    ...(unreachable.length > 0 ? [`${unreachable.join(', ')} could not be queried`] : []),
  ]
  const message = `migration ${required} has not run everywhere: ${parts.join(', and ')}`
  throw new HypervaultError('HV_MIGRATION_BEHIND', message, { required, behind, unreachable })
}

function hasRun(required: string, { isThere, applied = [] }: ShardState): boolean {
  return isThere && applied.some((row) => row.isDone && (row.id === required || labelOf(row) === required))
}

function idOf({ shardId }: ShardState): number {
  return shardId
}
