import { labelOf, nameOf, type MigrationName } from '../migration.ts'
import { toMigrationFailure } from '../migration-failure.ts'
import type { Surveys } from '../survey.ts'
import type { Plan, UnfitShard } from './plan-migrations.ts'
import type { Wave } from './plan-waves.ts'

/** What would run where. */
export interface MigrationPlan {
  /** One after the other: all shards are through with one before the next begins. */
  readonly stages: readonly { readonly migrations: readonly MigrationName[]; readonly waves: readonly Wave[] }[]
  /** The shards in which something would run, and what, in order. */
  readonly shards: readonly {
    readonly serverId: string
    readonly shardId: number
    readonly migrations: readonly string[]
  }[]
  /** Held back: a breaking migration, and all that come after it. */
  readonly held: readonly MigrationName[]
  /** Shards that cannot be migrated now. */
  readonly unfit: readonly UnfitShard[]
  /** Servers that could not be asked. */
  readonly unreachable: readonly { readonly serverId: string; readonly problem: string }[]
}

/** A plan with the names of the migrations, for those who read it. */
export function describePlan({ stages, shards, held, unfit, allowed }: Plan, { problems }: Surveys): MigrationPlan {
  const pending = shards.map(({ serverId, shardId, pending: all }) => {
    const migrations = all.filter((migration) => allowed.includes(migration)).map(labelOf)
    return { serverId, shardId, migrations }
  })
  return Object.freeze({
    stages: stages.map(({ migrations, waves }) => ({ migrations: migrations.map(nameOf), waves })),
    shards: pending.filter(({ migrations }) => migrations.length > 0),
    held: held.map(nameOf),
    unfit,
    unreachable: [...problems].map(([serverId, error]) => ({
      serverId,
      problem: toMigrationFailure({ serverId }, error).message,
    })),
  })
}
