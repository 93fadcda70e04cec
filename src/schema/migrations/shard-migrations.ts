import { describeType } from '../../arguments/arguments.ts'
import { assertCallOptions } from '../../arguments/call-options.ts'
import { ServerSites } from '../../server/server-sites.ts'
import type { Topology } from '../../topology/topology.ts'
import { resolveProvisionOptions, type ProvisionSettings } from '../provision-options.ts'
import { assertAllAt } from './assert-at.ts'
import { findMigration, loadMigrations } from './load-migrations.ts'
import type { Migration } from './migration.ts'
import { resolveMigrateOptions, type MigrateOptions, type MigratePlanOptions, type MigrateSettings } from './options.ts'
import { describePlan, type MigrationPlan } from './plan/describe-plan.ts'
import { planMigrations } from './plan/plan-migrations.ts'
import { MigrationRun, type MigrationReport } from './run/migration-run.ts'
import type { MigrationSource } from './sources/migration-source.ts'
import { resolveSource, type MigrationsOption } from './sources/resolve-source.ts'
import { describeStatus, type MigrationStatus } from './status.ts'
import { surveyServers, type Surveys } from './survey.ts'

/*
 * Migrations: what the shards of a deployment are made of, beside what Hypervault needs, and how that changes.
 *
 *   sources/   where they come from: a folder, Drizzle Kit, Kysely. Each gives them in their order.
 *   state/     what has run in a shard: a table in its schema, hv_migrations, written in the migration's transaction
 *   plan/      what is left, what is held back, in which order: pure
 *   run/       does it: see run/migration-run.ts for all servers, run/server-migration.ts for one
 *
 * Authoritative are the files for what there is to run, and each shard for what has run in it. Nothing else is kept, so
 * a run that ends anywhere is continued by the same call, and two of them share the work.
 *
 * Rules of order: a shard runs the migrations in their order, the built-in ones first. One never runs before one that
 * comes ahead of it; a file that has run anywhere is never changed. What breaks a rule is refused before anything runs.
 */

/** What the migrations of a datastore go by. */
export interface MigrationsSetup {
  readonly topology: () => Topology
  readonly source: MigrationSource | undefined
  readonly epochMs: number
}

/** Reads what has run. */
export interface MigrationReadOptions extends Pick<MigratePlanOptions, 'signal' | 'connectTimeoutMs'> {
  /** The migrations, in the place of those of the datastore. */
  migrations?: MigrationsOption
}

/** The migrations of the shards of a topology; on connections of their own. */
export class ShardMigrations {
  readonly #setup: MigrationsSetup

  constructor(setup: MigrationsSetup) {
    this.#setup = setup
  }

  /**
   * Tells what `up` would run where, and changes nothing.
   *
   * @throws TypeError or RangeError for options; `HV_SHARD_UNKNOWN`, `HV_MIGRATION_INVALID`, `HV_MIGRATION_REFUSED`
   */
  async plan(options: MigratePlanOptions = {}): Promise<MigrationPlan> {
    assertCallOptions('migrations.plan', options)
    const settings = this.#resolve(options)
    const migrations = await this.#load(options)
    const surveys = await this.#survey(settings)
    const to = settings.to === undefined ? undefined : findMigration(migrations, settings.to)
    return describePlan(planMigrations(migrations, surveys.surveys, { ...settings, to, isForNewOnly: false }), surveys)
  }

  /**
   * Runs in every shard what is left to run in it: a canary first, then wave by wave, on all servers at once. Safe to
   * repeat and to end at any point; two runs at once share the work.
   *
   * @throws TypeError or RangeError for options; `HV_SHARD_UNKNOWN`, `HV_MIGRATION_INVALID` and `HV_MIGRATION_REFUSED`
   *   before anything is run; `HV_MIGRATION_FAILED` with the failure of each shard, after all others
   */
  async up(options: MigrateOptions = {}): Promise<MigrationReport> {
    const settings = this.#resolve(options)
    const migrations = await this.#load(options)
    const { servers } = this.#setup.topology()
    const run = { settings, adoption: this.#adoption(settings), isForNewOnly: false }
    return new MigrationRun(servers, migrations, run).run()
  }

  /** Tells how all shards stand. Throws TypeError or RangeError for options, `HV_MIGRATION_INVALID`. */
  async status(options: MigrationReadOptions = {}): Promise<MigrationStatus> {
    assertCallOptions('migrations.status', options)
    const settings = resolveMigrateOptions(options)
    const migrations = await this.#load(options)
    return describeStatus(migrations, await this.#survey(settings))
  }

  /**
   * Resolves if a migration, given by its id such as `'0042'`, has run in every shard. Needs no files: the shards know.
   *
   * @throws `HV_MIGRATION_BEHIND` with the shards that lack it and the servers that could not be asked
   */
  async assertAt(id: string, options: Omit<MigrationReadOptions, 'migrations'> = {}): Promise<void> {
    if (typeof id !== 'string') throw new TypeError(`the id of a migration must be a string, got ${describeType(id)}`)
    assertCallOptions('migrations.assertAt', options)
    const settings = resolveMigrateOptions(options)
    assertAllAt(id, this.#setup.topology(), await this.#survey(settings))
  }

  #resolve(options: MigrateOptions): MigrateSettings {
    const settings = resolveMigrateOptions(options)
    const topology = this.#setup.topology()
    for (const shardId of [...(settings.shardIds ?? []), ...(settings.canary ?? [])]) topology.getServer(shardId)
    return settings
  }

  #load({ migrations }: MigratePlanOptions): Promise<readonly Migration[]> {
    const source = resolveSource(migrations) ?? this.#setup.source
    if (source !== undefined) return loadMigrations(source)
    throw new TypeError(
      'migrations must be set, here or in the options of the datastore: a folder of files such as 0001_name.sql',
    )
  }

  async #survey(settings: MigrateSettings): Promise<Surveys> {
    const { servers } = this.#setup.topology()
    await using sites = new ServerSites(servers, settings)
    return await surveyServers(sites, settings)
  }

  #adoption({ connectTimeoutMs, lockTimeoutMs }: MigrateSettings): ProvisionSettings {
    return resolveProvisionOptions({ epochMs: this.#setup.epochMs, connectTimeoutMs, lockTimeoutMs })
  }
}
