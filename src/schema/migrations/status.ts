import { labelOf, type Migration, type MigrationName } from './migration.ts'
import { toMigrationFailure } from './migration-failure.ts'
import { judgeShard } from './plan/judge-shard.ts'
import type { ShardState } from './state/shard-state.ts'
import type { Surveys } from './survey.ts'

/** How one shard stands. */
export interface ShardMigrationStatus {
  readonly shardId: number
  /** The last migration that has run in it, `0042_add_email`; undefined for none. */
  readonly version: string | undefined
  /** What is left to run. */
  readonly pending: readonly string[]
  /** What keeps it from being migrated. */
  readonly problems: readonly string[]
}

/** How the shards of one server stand. */
export interface ServerMigrationStatus {
  readonly serverId: string
  /** Why it could not be asked; its shards are not known then. */
  readonly problem: string | undefined
  readonly shards: readonly ShardMigrationStatus[]
}

/** How all shards stand. */
export interface MigrationStatus {
  /** All migrations in order, and in how many shards each has run. */
  readonly migrations: readonly (MigrationName & { readonly isBreaking: boolean; readonly shards: number })[]
  readonly servers: readonly ServerMigrationStatus[]
}

/** Says how the shards stand that were asked. */
export function describeStatus(migrations: readonly Migration[], { surveys, problems }: Surveys): MigrationStatus {
  const all = surveys.flatMap(({ states }) => states)
  const servers = surveys.map(({ serverId, states }) => ({
    serverId,
    problem: undefined,
    shards: states.map((state) => describeShard(migrations, state)),
  }))
  const silent = [...problems].map(([serverId, error]) => ({
    serverId,
    problem: toMigrationFailure({ serverId }, error).message,
    shards: [],
  }))
  return Object.freeze({
    migrations: migrations.map(({ id, name, isBreaking }) => ({ id, name, isBreaking, shards: countWith(id, all) })),
    servers: [...servers, ...silent].sort((a, b) => a.serverId.localeCompare(b.serverId, 'en', { numeric: true })),
  })
}

function describeShard(migrations: readonly Migration[], state: ShardState): ShardMigrationStatus {
  const { shardId, applied = [] } = state
  const verdict = judgeShard(migrations, state)
  const done = new Set(applied.filter(({ isDone }) => isDone).map(({ id }) => id))
  const last = migrations.findLast(({ id }) => done.has(id))
  return Object.freeze({
    shardId,
    version: last && labelOf(last),
    pending: verdict.kind === 'ready' ? verdict.pending.map(labelOf) : [],
    problems: verdict.kind === 'refused' ? verdict.problems : verdict.kind === 'ready' ? [] : [`it is ${verdict.kind}`],
  })
}

function countWith(id: string, states: readonly ShardState[]): number {
  return states.filter(({ applied = [] }) => applied.some((each) => each.id === id && each.isDone)).length
}
