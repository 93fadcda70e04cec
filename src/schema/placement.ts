import { HypervaultError, type ErrorDetails } from '../errors.ts'
import { describeFailures, type PlacedFailure } from '../topology/like-failures.ts'
import type { Topology } from '../topology/topology.ts'
import type { ServerInspection } from './inspect.ts'
import { holdsShard } from './shard-layout.ts'

/** A shard that is on two servers, or on another one than the connections say. */
export type PlacementConflict = ErrorDetails['HV_SHARD_CONFLICT']['shards'][number]

/** A schema that is named like a shard and cannot be one. */
export type IncompatibleShard = ErrorDetails['HV_SHARD_INCOMPATIBLE']['shards'][number]

/** A shard that a server holds and that the connections place nowhere. */
export interface UnplacedShard {
  readonly serverId: string
  readonly shardId: number
}

/** Finds every shard that is not exactly where the topology places it. One in a gap of the topology is let be. */
export function findConflicts(topology: Topology, inspections: readonly ServerInspection[]): PlacementConflict[] {
  const holders = groupByShard(inspections)
  return [...holders].flatMap(([shardId, servers]) => {
    const placedOn = topology.findServer(shardId)?.serverId
    const isPlaced = placedOn === undefined || servers.some((server) => isSameDatabase(server, placedOn, inspections))
    if (isPlaced && servers.length === 1) return []
    return [{ shardId, servers: servers.map(({ serverId }) => serverId), placedOn }]
  })
}

/** Finds the shards in the gaps of the topology. */
export function findUnplaced(topology: Topology, inspections: readonly ServerInspection[]): UnplacedShard[] {
  return [...groupByShard(inspections)].flatMap(([shardId, servers]) =>
    topology.findServer(shardId) === undefined ? servers.map(({ serverId }) => ({ serverId, shardId })) : [],
  )
}

/** Throws one error that names everything that stands in the way: `HV_SHARD_CONFLICT`, else `HV_SHARD_INCOMPATIBLE`. */
export function assertPlaceable(conflicts: PlacementConflict[], incompatible: IncompatibleShard[]): void {
  const unfit = incompatible.length > 0 ? incompatibleError(incompatible) : undefined
  if (conflicts.length > 0) throw conflictError(conflicts, unfit)
  if (unfit !== undefined) throw unfit
}

function conflictError(conflicts: PlacementConflict[], unfit: HypervaultError | undefined): HypervaultError {
  const text = `not where the connections place them: ${describeFailures(conflicts.map(toFailure)).join('; ')}`
  const message = unfit === undefined ? text : `${text}. Also, ${unfit.message}`
  return new HypervaultError('HV_SHARD_CONFLICT', message, { shards: conflicts }, { cause: unfit })
}

/** The error of schemas that cannot be shards. */
export function incompatibleError(shards: IncompatibleShard[]): HypervaultError<'HV_SHARD_INCOMPATIBLE'> {
  const message = `cannot be used as shards: ${describeFailures(shards.map(({ problem, ...place }) => ({ ...place, message: problem }))).join('; ')}`
  return new HypervaultError('HV_SHARD_INCOMPATIBLE', message, { shards })
}

/** The servers that hold each shard, ascending; of several entries for one database only the first counts. */
function groupByShard(inspections: readonly ServerInspection[]): Map<number, ServerInspection[]> {
  const databases = inspections.filter(
    ({ databaseIdentity }, index) =>
      inspections.findIndex((other) => other.databaseIdentity === databaseIdentity) === index,
  )
  const pairs = databases.flatMap((server) =>
    [...server.shards.values()].filter(holdsShard).map(({ shardId }) => ({ shardId, server })),
  )
  const holders = new Map<number, ServerInspection[]>()
  for (const { shardId, server } of pairs.sort((a, b) => a.shardId - b.shardId)) {
    holders.set(shardId, [...(holders.get(shardId) ?? []), server])
  }
  return holders
}

function isSameDatabase(
  { databaseIdentity }: ServerInspection,
  serverId: string,
  inspections: readonly ServerInspection[],
): boolean {
  return inspections.some((other) => other.serverId === serverId && other.databaseIdentity === databaseIdentity)
}

function toFailure({ shardId, servers, placedOn }: PlacementConflict): PlacedFailure {
  const place = placedOn === undefined ? '' : `, placed on ${placedOn}`
  return { shardId, message: `on ${servers.join(' and ')}${place}` }
}
