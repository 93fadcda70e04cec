import type { ProvisionSettings } from '../../provision-options.ts'
import type { Migration } from '../migration.ts'
import type { MigrateSettings } from '../options.ts'
import type { Ledger } from './ledger.ts'
import type { Permits } from './permits.ts'

/** What all parts of a run have in common. */
export interface RunContext {
  readonly migrations: readonly Migration[]
  readonly settings: MigrateSettings
  readonly ledger: Ledger
  /** The connections of all servers together. */
  readonly permits: Permits
  /** How a shard is made a whole one that was never written down as such. */
  readonly adoption: ProvisionSettings
}
