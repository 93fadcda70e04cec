import { isHypervaultError, type ErrorDetails } from '../../errors.ts'
import { sqlstateOf } from '../../pool/failure.ts'
import { describeFailures } from '../../topology/like-failures.ts'
import { labelOf, type Migration } from './migration.ts'

/** Why something has not run: in a shard, or on a whole server that could not be reached. */
export type MigrationFailure = ErrorDetails['HV_MIGRATION_FAILED']['failures'][number]

/** Where something failed. */
export interface FailureSite {
  readonly serverId: string
  readonly shardId?: number | undefined
  readonly migration?: Migration | undefined
}

/** SQLSTATEs of this class tell a value in their message, which may be one of an entity. */
const DATA_EXCEPTION = '22'

/** A failure as it is reported. */
export function toMigrationFailure({ serverId, shardId, migration }: FailureSite, error: unknown): MigrationFailure {
  const code = isHypervaultError(error) ? error.code : undefined
  const sqlstate = sqlstateOf(error) ?? sqlstateOf((error as { cause?: unknown }).cause)
  return Object.freeze({
    serverId,
    ...(shardId !== undefined && { shardId }),
    ...(migration !== undefined && { migration: labelOf(migration) }),
    ...(code !== undefined && { code }),
    ...(sqlstate !== undefined && { sqlstate }),
    message: describe(error, code, sqlstate),
  })
}

/** `s1, shard 5, 0042_add_email: relation "x" does not exist`: a line for all failures that differ only in their places. */
export function describeMigrationFailures(failures: readonly MigrationFailure[], max?: number): string[] {
  return describeFailures(
    failures.map((failure) => ({ ...failure, subject: failure.migration })),
    max,
  )
}

/** What the server says itself, without what is said around it. */
function describe(error: unknown, code: string | undefined, sqlstate: string | undefined): string {
  if (sqlstate?.startsWith(DATA_EXCEPTION) === true) return `a value is invalid (SQLSTATE ${sqlstate})`
  const own = code === 'HV_STATEMENT_FAILED' ? (error as Error).cause : error
  return own instanceof Error ? own.message : String(own)
}
