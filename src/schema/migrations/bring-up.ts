import type { Server } from '../../topology/connection-entry.ts'
import type { ProvisionSettings } from '../provision-options.ts'
import type { Migration } from './migration.ts'
import { resolveMigrateOptions } from './options.ts'
import { MigrationRun, type MigrationReport } from './run/migration-run.ts'

/**
 * Brings new shards to where the others are: all migrations, up to a breaking one that a shard in use lacks. Nobody uses
 * them yet, so there is no canary and no wave. What an earlier run has made and not brought up is new, too.
 *
 * @throws as `up` does
 */
export function bringUpNewShards(
  servers: readonly Server[],
  migrations: readonly Migration[],
  adoption: ProvisionSettings,
): Promise<MigrationReport> {
  const { signal, connectTimeoutMs, onMigrate: onProgress } = adoption
  const options = { canary: [], waves: [1], connectTimeoutMs, onProgress, ...(signal && { signal }) }
  const run = { settings: resolveMigrateOptions(options), adoption, isForNewOnly: true }
  return new MigrationRun(servers, migrations, run).run()
}
