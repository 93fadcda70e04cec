import type { DatastoreOptions } from '../datastore-options.ts'
import type { ServerPlan } from '../schema/plan-server.ts'
import { formatShardRange, type ShardRange } from '../topology/shard-range.ts'
import type { ConnectionEntry } from '../topology/connection-entry.ts'

/** A server of a plan, and the entry of `connections` that it was made for. */
export interface PlannedEntry {
  readonly entry: ConnectionEntry
  readonly plan: ServerPlan
}

/** Pairs entries with their plans; both are in the order of `connections`. */
export function pairPlans({ connections }: DatastoreOptions, plans: readonly ServerPlan[]): PlannedEntry[] {
  return plans.flatMap((plan, index) => {
    const entry = connections[index]
    return entry === undefined ? [] : [{ entry, plan }]
  })
}

/**
 * Narrows connections to the shards that are there. An entry has one range, so what is left of it in several runs takes
 * several rounds; the n-th round has the n-th run of every server.
 */
export function roundsOfExisting(planned: readonly PlannedEntry[]): ConnectionEntry[][] {
  const narrowed = planned.map(({ entry, plan }) =>
    runsOf(plan.shards.filter(({ outcome }) => outcome !== 'created').map(({ shardId }) => shardId)).map((run) => ({
      ...entry,
      id: plan.serverId,
      shards: formatShardRange(run),
    })),
  )
  const rounds = Math.max(0, ...narrowed.map(({ length }) => length))
  return Array.from({ length: rounds }, (_, round) => narrowed.flatMap((entries) => entries[round] ?? []))
}

/** Ascending shards as ranges without gaps. */
export function runsOf(shardIds: readonly number[]): ShardRange[] {
  const runs: { first: number; end: number }[] = []
  for (const shardId of shardIds) {
    const run = runs.at(-1)
    if (run?.end === shardId) run.end = shardId + 1
    else runs.push({ first: shardId, end: shardId + 1 })
  }
  return runs
}
