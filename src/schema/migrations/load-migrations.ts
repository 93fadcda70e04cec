import { BUILT_IN, builtInMigrations } from './built-in.ts'
import { labelOf, type Migration } from './migration.ts'
import { migrationInvalid } from './migration-error.ts'
import type { MigrationSource } from './sources/migration-source.ts'

/** What fits the columns of the table that says what has run. */
const FITTING = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,119}$/

/** All migrations in their order: the built-in ones, then those of the source. Throws `HV_MIGRATION_INVALID`. */
export async function loadMigrations(source: MigrationSource | undefined): Promise<readonly Migration[]> {
  const own = source === undefined ? [] : await source.load()
  if (source !== undefined) assertDistinct(own, source.origin)
  return Object.freeze([...builtInMigrations, ...own])
}

/** The migration that a text names: its id, or id and name. RangeError if there is none. */
export function findMigration(migrations: readonly Migration[], text: string): Migration {
  const found = migrations.find((each) => each.id === text || labelOf(each) === text)
  if (found !== undefined) return found
  throw new RangeError(`there is no migration ${JSON.stringify(text)}`)
}

function assertDistinct(migrations: readonly Migration[], origin: string): void {
  const ids = migrations.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) {
    const labels = migrations.filter(({ id }) => id === twice).map(labelOf)
    throw migrationInvalid(origin, `two migrations have the number ${twice}: ${labels.join(', ')}`)
  }
  const unfit = migrations.find(({ id, name }) => !FITTING.test(id) || !FITTING.test(name) || BUILT_IN.test(id))
  if (unfit === undefined) return
  throw migrationInvalid(
    origin,
    `${labelOf(unfit)} is not a valid name of a migration: use up to 120 letters, digits, '_', '.' and '-'`,
  )
}
