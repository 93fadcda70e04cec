import type { Migration } from '../migration.ts'

/** What is left to run in one shard. */
export interface PendingShard {
  readonly pending: readonly Migration[]
  readonly isNew: boolean
}

/** What bounds a run. */
export interface ScopeLimits {
  /** Last migration that may run; default the last there is. */
  readonly to: Migration | undefined
  /** Whether breaking migrations may run. */
  readonly isBreakingAllowed: boolean
}

/** Which migrations may run now, and which are held back, in order. */
export interface MigrationScope {
  readonly allowed: readonly Migration[]
  /** From the first breaking one that a shard in use has not had. */
  readonly held: readonly Migration[]
}

/**
 * Decides which migrations may run. A breaking one, and all that come after it, are held back as long as a shard that is
 * in use lacks it; new shards have no code that it could break, and are brought to where the others are.
 */
export function decideScope(
  migrations: readonly Migration[],
  shards: readonly PendingShard[],
  { to, isBreakingAllowed }: ScopeLimits,
): MigrationScope {
  const end = to === undefined ? migrations.length : migrations.indexOf(to) + 1
  const inReach = migrations.slice(0, end)
  const lacking = new Set(shards.flatMap(({ pending, isNew }) => (isNew ? [] : pending)))
  const cut = isBreakingAllowed ? -1 : inReach.findIndex((each) => each.isBreaking && lacking.has(each))
  const count = cut === -1 ? inReach.length : cut
  return Object.freeze({ allowed: inReach.slice(0, count), held: inReach.slice(count) })
}

/** Cuts migrations into stages: all shards are through with one before the next begins. One that is alone has its own. */
export function cutIntoStages(migrations: readonly Migration[]): Migration[][] {
  const stages: Migration[][] = []
  for (const migration of migrations) {
    const stage = stages.at(-1)
    if (stage === undefined || migration.isAlone || stage[0]?.isAlone === true) stages.push([migration])
    else stage.push(migration)
  }
  return stages
}
