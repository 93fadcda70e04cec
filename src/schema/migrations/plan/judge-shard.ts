import { BUILT_IN } from '../built-in.ts'
import { labelOf, type Migration } from '../migration.ts'
import type { AppliedMigration, ShardState } from '../state/shard-state.ts'

/*
 *   the shard                                          verdict
 *   has no schema, or no entities                      missing: provisioning makes it
 *   is published by a move, or fenced                  moving: what is changed now would not go with it
 *   has run what the migrations do not know            refused: a file is missing, or the release is too old
 *   has run a migration whose content was another      refused: the file was changed
 *   has run one, but not one that comes before it      refused: it would run out of order
 *   anything else                                      ready, with what is left to run
 */

/** What is to become of a shard. */
export type ShardVerdict =
  | { readonly kind: 'missing' | 'moving' }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }
  | {
      readonly kind: 'ready'
      /** What is left to run, in order. */
      readonly pending: readonly Migration[]
      /** Whether it was made and has not yet had everything that a new shard begins with. */
      readonly isNew: boolean
    }

/** Compares what has run in a shard with the migrations that there are. */
export function judgeShard(migrations: readonly Migration[], state: ShardState): ShardVerdict {
  if (!state.isThere) return { kind: 'missing' }
  if (state.isMoving) return { kind: 'moving' }
  const applied = new Map((state.applied ?? []).map((each) => [each.id, each]))
  const problems = [
    ...findUnknown(migrations, state),
    ...findChanged(migrations, applied),
    ...findSkipped(migrations, applied),
  ]
  if (problems.length > 0) return { kind: 'refused', problems }
  const pending = migrations.filter((each) => !hasRun(each, applied))
  return { kind: 'ready', pending, isNew: isNew(state) }
}

/** Whether a shard was made and has not yet had everything that a new shard begins with. */
function isNew({ applied = [] }: ShardState): boolean {
  return applied.some(({ id, isDone }) => BUILT_IN.test(id) && !isDone)
}

/** The row of a built-in migration says by being there that it has run. */
function hasRun({ id }: Migration, applied: ReadonlyMap<string, AppliedMigration>): boolean {
  const row = applied.get(id)
  return row !== undefined && (row.isDone || BUILT_IN.test(id))
}

function findUnknown(migrations: readonly Migration[], { applied = [] }: ShardState): string[] {
  const known = new Set(migrations.map(({ id }) => id))
  return applied
    .filter(({ id }) => !known.has(id))
    .map((row) =>
      BUILT_IN.test(row.id)
        ? `${labelOf(row)} belongs to a newer release than this one`
        : `${labelOf(row)} has run, but its file is missing`,
    )
}

function findChanged(migrations: readonly Migration[], applied: ReadonlyMap<string, AppliedMigration>): string[] {
  return migrations
    .filter(({ id, checksum }) => (applied.get(id)?.checksum ?? checksum) !== checksum)
    .map((migration) => `${labelOf(migration)} has run, but its file was changed since then`)
}

function findSkipped(migrations: readonly Migration[], applied: ReadonlyMap<string, AppliedMigration>): string[] {
  const last = migrations.findLastIndex((each) => hasRun(each, applied))
  const latest = migrations[last]
  if (latest === undefined) return []
  return migrations
    .slice(0, last)
    .filter((each) => !hasRun(each, applied))
    .map((each) => `${labelOf(each)} has not run, but ${labelOf(latest)}, which comes after it, has run`)
}
