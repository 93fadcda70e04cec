import { tryPause } from '../../../pool/pause.ts'
import { withServerSession } from '../../../server/server-session.ts'
import { ServerSites, type ServerSite } from '../../../server/server-sites.ts'
import type { Server } from '../../../topology/connection-entry.ts'
import type { ProvisionSettings } from '../../provision-options.ts'
import { layoutMigration } from '../built-in.ts'
import { findMigration } from '../load-migrations.ts'
import { nameOf, type Migration, type MigrationName } from '../migration.ts'
import type { MigrateSettings } from '../options.ts'
import { planMigrations, type Plan, type PlanSettings, type Stage } from '../plan/plan-migrations.ts'
import type { Wave } from '../plan/plan-waves.ts'
import { updateDoneSql } from '../state/state-sql.ts'
import { surveyServers, type Survey } from '../survey.ts'
import { Ledger } from './ledger.ts'
import { Permits } from './permits.ts'
import type { RunContext } from './run-context.ts'
import { ServerMigration } from './server-migration.ts'
import { taskOf } from './task-queue.ts'
import { unfitError } from './unfit-error.ts'

/*
 * One run of migrations over all servers.
 *
 *   1. survey   every shard of every server says what has run in it. A server that is down is left for the end.
 *   2. plan     what does not fit the migrations ends the run here, before anything is changed anywhere.
 *   3. stages   of each stage the canary, then wave by wave; the shards of all servers side by side. Between two waves,
 *               and before each shard, the run may stop by itself.
 *   4. again    the servers that were down, from 1 on, without waves.
 *
 * Nothing is written down about the run itself: the shards are authoritative, so a run after any end is the same run
 * again. Two runs at once share the work: whoever comes second to a shard finds what has run in it.
 */

/** What a run has done. */
export interface MigrationReport {
  /** The migrations that ran, in order, each with the shards in which it ran. */
  readonly migrations: readonly (MigrationName & { readonly shardIds: readonly number[] })[]
  /** Those that were held back: a breaking one, and all that come after it. */
  readonly held: readonly MigrationName[]
}

/** How a run is done. */
export interface RunSettings {
  readonly settings: MigrateSettings
  readonly adoption: ProvisionSettings
  /** Whether only new shards are migrated. */
  readonly isForNewOnly: boolean
}

/** Pause before a server that is down is asked again. */
const DOWN_PAUSE_MS = 250

/** Shards per statement that closes the making of new shards. */
const SHARDS_PER_STATEMENT = 64

/** Runs migrations in shards. */
export class MigrationRun {
  readonly #servers: readonly Server[]
  readonly #context: RunContext
  readonly #isForNewOnly: boolean
  /** Why servers cannot be reached. */
  readonly #problems = new Map<string, unknown>()
  readonly #surveyed = new Set<string>()
  #held: readonly Migration[] = []

  constructor(
    servers: readonly Server[],
    migrations: readonly Migration[],
    { settings, adoption, isForNewOnly }: RunSettings,
  ) {
    this.#servers = servers
    this.#isForNewOnly = isForNewOnly
    const [ledger, permits] = [new Ledger(settings), new Permits(settings.connections)]
    this.#context = Object.freeze({ migrations, settings, adoption, ledger, permits })
  }

  /**
   * Runs what is left.
   *
   * @throws `HV_MIGRATION_REFUSED` before anything is changed; `HV_MIGRATION_FAILED` after all that could be done; the
   *   signal's reason after the shards at hand
   */
  async run(): Promise<MigrationReport> {
    const { signal } = this.#context.settings
    signal?.throwIfAborted()
    const plan = await this.#runOn(this.#servers, this.#planSettings())
    await this.#askAgain(plan)
    signal?.throwIfAborted()
    this.#assertComplete()
    return this.#report()
  }

  async #runOn(servers: readonly Server[], settings: PlanSettings): Promise<Plan> {
    await using sites = this.#openSites(servers)
    const { surveys, problems } = await surveyServers(sites, this.#context.settings)
    for (const [serverId, problem] of problems) this.#problems.set(serverId, problem)
    for (const { serverId } of surveys) this.#surveyed.add(serverId)
    const plan = planMigrations(this.#context.migrations, surveys, settings)
    this.#held = plan.held
    await loadCode(plan)
    this.#expect(plan)
    await this.#runStages(plan, surveys)
    return plan
  }

  /** Asks the servers that were down until they answer, for as long as opening a connection may take. */
  async #askAgain(plan: Plan): Promise<void> {
    const { ledger, settings } = this.#context
    const deadline = performance.now() + settings.connectTimeoutMs
    for (let isLate = false; this.#problems.size > 0 && !isLate && !ledger.isOver;) {
      isLate = performance.now() > deadline
      const down = this.#servers.filter(({ serverId }) => this.#problems.has(serverId))
      await this.#runAgain(down, plan)
      if (this.#problems.size > 0) await tryPause(DOWN_PAUSE_MS, settings.signal)
    }
    this.#held = plan.held
    for (const [serverId, error] of this.#problems) ledger.exclude({ serverId }, error)
  }

  /** Those that were down had no part in deciding what runs, so they follow what was decided. */
  async #runAgain(servers: readonly Server[], { allowed, held }: Plan): Promise<void> {
    this.#problems.clear()
    const settings = { ...this.#planSettings(), canary: [], waves: [1] }
    const bounded = held.length === 0 ? settings : { ...settings, to: allowed.at(-1) }
    try {
      await this.#runOn(servers, bounded)
    } catch (error) {
      for (const { serverId } of servers) this.#problems.set(serverId, error)
    }
  }

  #planSettings(): PlanSettings {
    const { migrations, settings } = this.#context
    const { to, isBreakingAllowed, canary, waves, shardIds } = settings
    return {
      to: to === undefined ? undefined : findMigration(migrations, to),
      isBreakingAllowed,
      canary,
      waves,
      shardIds,
      isForNewOnly: this.#isForNewOnly,
    }
  }

  /** One connection more than work, by which the server is watched. */
  #openSites(servers: readonly Server[]): ServerSites {
    const { connectionsPerServer, connectTimeoutMs, signal } = this.#context.settings
    return new ServerSites(servers, { connectionsPerServer: connectionsPerServer + 1, connectTimeoutMs, signal })
  }

  #expect({ stages, shards, unfit }: Plan): void {
    const { ledger } = this.#context
    const planned = new Set(stages.flatMap(({ migrations }) => migrations))
    for (const { shardId, pending } of shards)
      ledger.expect(
        shardId,
        pending.filter((each) => planned.has(each)),
      )
    for (const shard of unfit) ledger.exclude(shard, unfitError(shard))
  }

  async #runStages(plan: Plan, surveys: readonly Survey[]): Promise<void> {
    const { ledger } = this.#context
    const servers = surveys.map(({ site, hstoreSchema }) => new ServerMigration(site, hstoreSchema, this.#context))
    const waves = plan.stages.flatMap((stage) => stage.waves.map((wave) => ({ stage, wave })))
    for (const [index, { stage, wave }] of waves.entries()) {
      if (ledger.isOver) break
      ledger.enter({ isCanary: wave.isCanary, wave: index + 1, waves: waves.length })
      await Promise.all(servers.map((server) => this.#runWave(server, plan, stage, wave)))
    }
    for (const { serverId, problem } of servers) if (problem !== undefined) this.#problems.set(serverId, problem)
    if (!ledger.isOver) await Promise.all(surveys.map(({ site }) => this.#closeNew(site, plan)))
  }

  async #runWave(server: ServerMigration, { shards }: Plan, { migrations }: Stage, wave: Wave): Promise<void> {
    const shardIds = wave.servers.find(({ serverId }) => serverId === server.serverId)?.shardIds ?? []
    const wanted = new Set(shardIds.filter((shardId) => !this.#context.ledger.hasFailed(shardId)))
    const tasks = shards
      .filter(({ shardId, serverId }) => serverId === server.serverId && wanted.has(shardId))
      .flatMap(
        ({ shardId, pending }) =>
          taskOf(
            shardId,
            pending.filter((each) => migrations.includes(each)),
          ) ?? [],
      )
    if (tasks.length > 0) await server.work(tasks, { isAlone: migrations[0]?.isAlone === true })
  }

  /** Notes in new shards that they have had what a new shard begins with. */
  async #closeNew({ server, pool }: ServerSite, { shards }: Plan): Promise<void> {
    const { ledger } = this.#context
    const closed = shards
      .filter(({ serverId, isNew }) => serverId === server.serverId && isNew)
      .filter(({ shardId }) => !ledger.isOpen(shardId) && !ledger.hasFailed(shardId))
      .map(({ shardId }) => updateDoneSql(shardId, layoutMigration))
    if (closed.length === 0 || this.#problems.has(server.serverId)) return
    await withServerSession(pool, { signal: undefined }, async (session) => {
      for (let first = 0; first < closed.length; first += SHARDS_PER_STATEMENT) {
        await session.execute(closed.slice(first, first + SHARDS_PER_STATEMENT))
      }
    })
  }

  #assertComplete(): void {
    const { ledger, settings } = this.#context
    const unknown = this.#servers.filter(({ serverId }) => !this.#surveyed.has(serverId))
    const missed = unknown.flatMap(({ shardIds }) => shardIds.filter((id) => settings.shardIds?.has(id) ?? true))
    ledger.assertComplete(missed)
  }

  #report(): MigrationReport {
    const { ledger, migrations } = this.#context
    const ran = migrations.map((migration) => ({ ...nameOf(migration), shardIds: ledger.shardsOf(migration) }))
    return Object.freeze({
      migrations: ran.filter(({ shardIds }) => shardIds.length > 0),
      held: this.#held.map(nameOf),
    })
  }
}

/** A program that cannot be read ends the run before anything is changed. */
async function loadCode({ stages }: Plan): Promise<void> {
  for (const migration of stages.flatMap(({ migrations }) => migrations)) {
    if (migration.kind === 'code') await migration.load()
  }
}
