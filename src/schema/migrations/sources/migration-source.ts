import type { Migration } from '../migration.ts'

/** Where migrations come from: `fromFolder()`, `fromDrizzle()`, `fromKysely()`. */
export interface MigrationSource {
  /** Where it is, for messages and for commands to type. */
  readonly origin: string
  /** The folder that a new file goes to; undefined where another tool makes the files. */
  readonly folder: string | undefined
  /** Reads them, in their order. Throws `HV_MIGRATION_INVALID`. */
  load(): Promise<readonly Migration[]>
}
