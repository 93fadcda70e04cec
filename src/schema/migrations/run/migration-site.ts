import type { ServerPool } from '../../../pool/server-pool.ts'
import type { MigrateSettings } from '../options.ts'

/** Where and how a migration runs in one shard. */
export interface MigrationSite {
  readonly pool: ServerPool
  readonly shardId: number
  readonly hstoreSchema: string
  readonly settings: MigrateSettings
}

/** What became of a migration in a shard: it ran, it had run already, or somebody else has the shard. */
export type VisitOutcome = 'done' | 'found' | 'held'
