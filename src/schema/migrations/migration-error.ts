import { HypervaultError } from '../../errors.ts'

/** The error of migrations that cannot be read, or that say what cannot be. `origin` is a file or a folder. */
export function migrationInvalid(
  origin: string,
  problem: string,
  cause?: unknown,
): HypervaultError<'HV_MIGRATION_INVALID'> {
  const extras = cause === undefined ? {} : { cause }
  return new HypervaultError('HV_MIGRATION_INVALID', `${origin}: ${problem}`, { origin, problem }, extras)
}
