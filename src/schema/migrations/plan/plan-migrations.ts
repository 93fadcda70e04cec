import { HypervaultError } from '../../../errors.ts'
import { describeFailures } from '../../../topology/like-failures.ts'
import type { Migration } from '../migration.ts'
import type { ShardState } from '../state/shard-state.ts'
import { cutIntoStages, decideScope, type ScopeLimits } from './decide-scope.ts'
import { judgeShard, type ShardVerdict } from './judge-shard.ts'
import { planWaves, type Wave, type WaveSettings } from './plan-waves.ts'

/** What a server said of its shards. */
export interface ServerStates {
  readonly serverId: string
  readonly states: readonly ShardState[]
}

/** A shard that can be migrated. */
export interface ReadyShard {
  readonly serverId: string
  readonly shardId: number
  /** What is left to run, in order, including what is held back. */
  readonly pending: readonly Migration[]
  readonly isNew: boolean
}

/** A shard that cannot be migrated now, and leaves the others alone. */
export interface UnfitShard {
  readonly serverId: string
  readonly shardId: number
  readonly problem: 'missing' | 'moving'
}

/** Migrations that run one after the other in each shard, wave by wave. */
export interface Stage {
  readonly migrations: readonly Migration[]
  readonly waves: readonly Wave[]
}

/** What would run where. */
export interface Plan {
  readonly stages: readonly Stage[]
  /** Those that may run, whether they are left to run somewhere or not. */
  readonly allowed: readonly Migration[]
  /** Held back, because they are breaking or come after one that is. */
  readonly held: readonly Migration[]
  /** The shards that can be migrated, also those in which nothing is left to run. */
  readonly shards: readonly ReadyShard[]
  readonly unfit: readonly UnfitShard[]
}

/** What a plan goes by. */
export interface PlanSettings extends ScopeLimits, WaveSettings {
  /** Only these shards; undefined for all. */
  readonly shardIds: ReadonlySet<number> | undefined
  /** Only new shards. */
  readonly isForNewOnly: boolean
}

/**
 * Plans what runs where.
 *
 * @throws `HV_MIGRATION_REFUSED` with all shards in which something has run that does not fit the migrations
 */
export function planMigrations(
  migrations: readonly Migration[],
  servers: readonly ServerStates[],
  settings: PlanSettings,
): Plan {
  const judged = servers.flatMap(({ serverId, states }) => states.map((state) => judge(migrations, serverId, state)))
  assertNoneRefused(judged)
  const ready = judged.flatMap(({ serverId, shardId, verdict }) =>
    verdict.kind === 'ready' ? [{ serverId, shardId, pending: verdict.pending, isNew: verdict.isNew }] : [],
  )
  // By all shards, also those that are not wanted: they are in use with the code that a breaking one would break.
  const { allowed, held } = decideScope(migrations, ready, settings)
  const isWanted = ({ shardId }: { shardId: number }): boolean => settings.shardIds?.has(shardId) ?? true
  const wanted = ready.filter((shard) => isWanted(shard) && (shard.isNew || !settings.isForNewOnly))
  const stages = planStages(allowed, wanted, settings)
  const unfit = settings.isForNewOnly ? [] : judged.flatMap(toUnfit).filter(isWanted)
  return Object.freeze({ allowed, held, stages, shards: wanted, unfit })
}

interface JudgedShard {
  readonly serverId: string
  readonly shardId: number
  readonly verdict: ShardVerdict
}

function judge(migrations: readonly Migration[], serverId: string, state: ShardState): JudgedShard {
  return { serverId, shardId: state.shardId, verdict: judgeShard(migrations, state) }
}

function toUnfit({ serverId, shardId, verdict: { kind } }: JudgedShard): UnfitShard[] {
  return kind === 'missing' || kind === 'moving' ? [{ serverId, shardId, problem: kind }] : []
}

function planStages(allowed: readonly Migration[], ready: readonly ReadyShard[], settings: WaveSettings): Stage[] {
  const wanted = new Set(ready.flatMap(({ pending }) => pending))
  const stages = cutIntoStages(allowed.filter((migration) => wanted.has(migration)))
  return stages.map((migrations) => {
    const shards = ready.filter(({ pending }) => migrations.some((migration) => pending.includes(migration)))
    return Object.freeze({ migrations, waves: planWaves(groupByServer(shards), settings) })
  })
}

function groupByServer(shards: readonly ReadyShard[]): { serverId: string; shardIds: number[] }[] {
  const serverIds = [...new Set(shards.map(({ serverId }) => serverId))]
  return serverIds.map((serverId) => ({
    serverId,
    shardIds: shards
      .filter((shard) => shard.serverId === serverId)
      .map(({ shardId }) => shardId)
      .sort((a, b) => a - b),
  }))
}

function assertNoneRefused(judged: readonly JudgedShard[]): void {
  const shardsOf = new Map<string, number[]>()
  for (const { shardId, verdict } of judged) {
    if (verdict.kind !== 'refused') continue
    for (const problem of verdict.problems) shardsOf.set(problem, [...(shardsOf.get(problem) ?? []), shardId])
  }
  if (shardsOf.size === 0) return
  const problems = [...shardsOf].map(([problem, shardIds]) => ({ problem, shardIds }))
  const failures = problems.flatMap(({ problem, shardIds }) =>
    shardIds.map((shardId) => ({ shardId, message: problem })),
  )
  const message = `nothing was run: ${describeFailures(failures).join('; ')}`
  throw new HypervaultError('HV_MIGRATION_REFUSED', message, { problems })
}
