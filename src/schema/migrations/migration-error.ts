import { explainFile } from '../../arguments/file-failure.ts'
import { HypervaultError } from '../../errors.ts'

/** The error of migrations that cannot be read, or that say what cannot be. `origin` is a file or a folder. */
export function migrationInvalid(
  origin: string,
  problem: string,
  cause?: unknown,
  hint?: string,
): HypervaultError<'HV_MIGRATION_INVALID'> {
  const extras = { ...(cause !== undefined && { cause }), ...(hint !== undefined && { hint }) }
  return new HypervaultError('HV_MIGRATION_INVALID', `${origin}: ${problem}`, { origin, problem }, extras)
}

/** The error of a file, or of a folder of files, that cannot be read. */
export function migrationUnreadable(origin: string, error: unknown): HypervaultError<'HV_MIGRATION_INVALID'> {
  const { what, hint } = explainFile(error, 'read') ?? {}
  if (what === undefined) return migrationInvalid(origin, (error as Error).message, error)
  return migrationInvalid(origin, what, error, hint)
}
