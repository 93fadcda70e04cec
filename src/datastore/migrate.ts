import { resolveMigrateOptions, type MigrateOptions } from '../schema/migrations/options.ts'
import type { MigrationReport } from '../schema/migrations/run/migration-run.ts'
import type { DatastoreOptions, FleetDatastoreOptions } from './datastore-options.ts'
import { Datastore } from './datastore.ts'

/** What {@link migrate} takes: the servers, or the catalog that knows them, the migrations, and how they are run. */
export type MigrateRequest =
  | (Omit<MigrateOptions, 'connections'> & Pick<DatastoreOptions, 'connections' | 'epochMs'>)
  | (MigrateOptions & Pick<FleetDatastoreOptions, 'catalog' | 'epochMs'>)

/**
 * Runs the migrations in all shards that lack them, as `db.migrations.up()` does, for a program that does nothing else.
 * Throws what that throws, and what opening the datastore throws.
 *
 * @example await migrate({ connections, migrations: fromDrizzle('./drizzle') })
 */
export async function migrate(request: MigrateRequest): Promise<MigrationReport> {
  const { epochMs, ...others } = request
  const keys = epochMs === undefined ? {} : { epochMs }
  if ('catalog' in others) {
    const { catalog, ...options } = others
    resolveMigrateOptions(options)
    await using db = await Datastore.open({ catalog, ...keys })
    return await db.migrations.up(options)
  }
  const { connections, ...options } = others
  await using db = new Datastore({ connections, ...keys })
  return await db.migrations.up(options)
}
