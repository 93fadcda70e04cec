import { HypervaultError, isHypervaultError } from '../errors.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import { withServerSession, type ServerSession } from '../server/server-session.ts'
import { findProblems } from './find-problems.ts'
import { readServerFacts, readShards, type ServerInspection } from './inspect.ts'
import { incompatibleError, type IncompatibleShard } from './placement.ts'
import { cutIntoBatches, openBatch, openExtension, planShards } from './plan-server.ts'
import { isCurrentNextId, planShard, type ShardOutcome, type ShardPlan } from './plan-shard.ts'
import type { ProvisionSettings } from './provision-options.ts'
import type { ShardLayout } from './shard-layout.ts'
import { createExtensionSql, type ShardTarget } from './shard-sql.ts'

/** What became of one server: its shards, ascending, by what was done to them. */
export interface ServerReport {
  readonly serverId: string
  /** Such as `18.4`. */
  readonly version: string
  readonly created: readonly number[]
  readonly adopted: readonly number[]
  readonly unchanged: readonly number[]
}

/** Makes the shards of one server, transaction by transaction. */
export class ServerProvision {
  readonly #pool: ServerPool
  readonly #inspection: ServerInspection
  readonly #settings: ProvisionSettings
  readonly #batches: ShardPlan[][]
  readonly #outcomes = new Map<number, ShardOutcome>()
  readonly #total: number

  /** @param inspection what the server held when it was found fit; what changed since then is looked at again */
  constructor(
    pool: ServerPool,
    inspection: ServerInspection,
    shardIds: readonly number[],
    settings: ProvisionSettings,
  ) {
    const plans = planShards(inspection, shardIds, settings)
    this.#pool = pool
    this.#inspection = inspection
    this.#settings = settings
    this.#batches = cutIntoBatches(plans, settings)
    this.#total = shardIds.length
    this.#record(plans.filter(({ outcome }) => outcome === 'unchanged'))
  }

  /** Makes what is missing. Each transaction leaves whole shards, so it can end anywhere and be run again. */
  async run(): Promise<ServerReport> {
    this.#tellProgress()
    const hstoreSchema = this.#inspection.hstoreSchema ?? (await this.#createExtension())
    const { epochMs, isFollowed, spread } = this.#settings
    const target = { hstoreSchema, epochMs, isFollowed, spread }
    const queue = this.#batches.values()
    const workers = Array.from({ length: this.#settings.connectionsPerServer }, () => this.#drain(queue, target))
    // All of them, before a failure is told: none may still be at work then.
    const ended = await Promise.allSettled(workers)
    for (const end of ended) if (end.status === 'rejected') throw end.reason
    return this.#report()
  }

  /** One of several that take batches from the same queue. An abort is noticed when the next session is asked for. */
  async #drain(queue: IterableIterator<ShardPlan[]>, target: ShardTarget): Promise<void> {
    for (const batch of queue) {
      const shardIds = batch.map(({ shardId }) => shardId)
      this.#record(await this.#withSession((session) => this.#makeShards(session, shardIds, target)))
      this.#tellProgress()
    }
  }

  /** Looks again once the shards are locked: another provisioning may have made them in the meantime. */
  #makeShards(session: ServerSession, shardIds: readonly number[], target: ShardTarget): Promise<ShardPlan[]> {
    return session.transaction(openBatch(shardIds, this.#settings), async () => {
      const layouts = await readShards(session, shardIds)
      this.#assertFit([...layouts.values()])
      const plans = shardIds.map((shardId) => planShard(shardId, layouts.get(shardId), target))
      const statements = plans.flatMap((plan) => plan.statements)
      if (statements.length > 0) await session.execute(statements)
      return plans
    })
  }

  #assertFit(layouts: readonly ShardLayout[]): void {
    const incompatible = layouts.flatMap((layout) => this.#findIncompatible(layout))
    if (incompatible.length > 0) throw incompatibleError(incompatible)
  }

  #findIncompatible(layout: ShardLayout): IncompatibleShard[] {
    const { shardId } = layout
    const problems = [...findProblems(layout, this.#settings.epochMs), ...this.#findUnproven(layout)]
    return problems.map((problem) => ({ serverId: this.#inspection.serverId, shardId, problem }))
  }

  /** Only the very function whose keys were proven may be replaced. */
  #findUnproven({ shardId, nextId }: ShardLayout): string[] {
    if (nextId === undefined || isCurrentNextId(shardId, nextId, this.#settings.epochMs)) return []
    const proven = this.#inspection.shards.get(shardId)?.nextId
    return proven?.source === nextId.source ? [] : ['next_id() was changed during provisioning: run provisioning again']
  }

  async #createExtension(): Promise<string> {
    const { hstoreSchema } = await this.#withSession(async (session) => {
      await this.#tryCreateExtension(session)
      return readServerFacts(session)
    })
    if (hstoreSchema === undefined) throw new Error('bug: the extension was created and is not there')
    return hstoreSchema
  }

  async #tryCreateExtension(session: ServerSession): Promise<void> {
    try {
      await session.transaction(openExtension(this.#settings), () => session.execute([createExtensionSql]))
    } catch (error) {
      if (!isHypervaultError(error, 'HV_STATEMENT_FAILED')) throw error
      throw extensionMissing(session.serverId, error)
    }
  }

  #withSession<T>(work: (session: ServerSession) => Promise<T>): Promise<T> {
    return withServerSession(this.#pool, this.#settings, work)
  }

  #record(plans: readonly ShardPlan[]): void {
    for (const { shardId, outcome } of plans) this.#outcomes.set(shardId, outcome)
  }

  #tellProgress(): void {
    const { serverId } = this.#inspection
    this.#settings.onProgress(Object.freeze({ serverId, done: this.#outcomes.size, total: this.#total }))
  }

  #report(): ServerReport {
    const { serverId, version } = this.#inspection
    const withOutcome = (wanted: ShardOutcome): number[] =>
      [...this.#outcomes].flatMap(([id, outcome]) => (outcome === wanted ? [id] : [])).sort((a, b) => a - b)
    return Object.freeze({
      serverId,
      version,
      created: withOutcome('created'),
      adopted: withOutcome('adopted'),
      unchanged: withOutcome('unchanged'),
    })
  }
}

function extensionMissing(serverId: string, error: HypervaultError): HypervaultError {
  const message = `server ${serverId} lacks the extension hstore, and it could not be created: ${error.message}`
  return new HypervaultError('HV_EXTENSION_MISSING', message, { serverId, extension: 'hstore' }, { cause: error })
}
