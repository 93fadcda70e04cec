import { isHypervaultError } from '../../../errors.ts'
import { tryPause } from '../../../pool/pause.ts'
import { withServerSession, type ServerSession } from '../../../server/server-session.ts'
import type { ServerSite } from '../../../server/server-sites.ts'
import { deepSqlstate } from '../../../shard/statement-error.ts'
import { adoptShard } from '../../adopt-shard.ts'
import { waitedTooLong } from '../../indexes/index-failure.ts'
import { selectBlockers } from '../../indexes/index-sql.ts'
import { SHARD_MOVES } from '../../moving.ts'
import type { Migration, SqlMigration } from '../migration.ts'
import { judgeShard, type ShardVerdict } from '../plan/judge-shard.ts'
import { readStates } from '../state/read-states.ts'
import { batchSql, type BatchLimits } from './batch-sql.ts'
import { decideBatchSize, type BatchReading } from './decide-batch.ts'
import { decideLockRetry } from './decide-lock-retry.ts'
import type { MigrationSite, VisitOutcome } from './migration-site.ts'
import { ROUND_TRIP_SLACK_MS } from './own-session.ts'
import { runCode } from './run-code.ts'
import type { RunContext } from './run-context.ts'
import { runSteps } from './run-steps.ts'
import { ServerWatch } from './server-watch.ts'
import { TaskQueue, taskOf, type ShardTask } from './task-queue.ts'
import { unfitError } from './unfit-error.ts'

/*
 * The migrations of the shards of one server. The shards themselves say what has run in them: after a failure whose end
 * is not known, after a lost connection, and when another run was there first, the shard is looked at again.
 *
 *   task   ready ──▶ together with others in one transaction ──▶ done: the next migration of the shard, or complete
 *            ▲            └▶ any failure: nothing has been done, each by itself
 *            │      by itself ──▶ done
 *            │            ├▶ somebody else holds the shard, or a lock in it: put off, for longer each time
 *            └────────────┘
 *                         ├▶ it has run already: done
 *                         ├▶ the shard has begun to move: left out
 *                         ├▶ the server cannot be reached: all that is left is given back
 *                         └▶ failed: the other shards go on
 */

/** SQLSTATEs of a wait for others that was given up; nothing has been done. */
const waits: ReadonlySet<string> = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  SHARD_MOVES, // its move was over before the shard was looked at
])

/**
 * Bounds of a transaction with several shards, which hold each other up. Longer ones would let the users of all of them
 * wait for one; what does not fit runs by itself, with the bounds of the settings.
 */
const together: BatchLimits = Object.freeze({ lockTimeoutMs: 20, statementTimeoutMs: 250 })

/** How often a shard is looked at again whose connection was lost. */
const MAX_LOSSES = 10

/** How the tasks of a wave are worked on. */
export interface WorkMode {
  /** One shard at a time. */
  readonly isAlone: boolean
}

/** Runs migrations in the shards of one server. */
export class ServerMigration {
  readonly #site: ServerSite
  readonly #hstoreSchema: string
  readonly #context: RunContext
  readonly #queue = new TaskQueue()
  readonly #readings = new Map<Migration, BatchReading>()
  readonly #losses = new Map<number, number>()
  #problem: unknown

  constructor(site: ServerSite, hstoreSchema: string, context: RunContext) {
    this.#site = site
    this.#hstoreSchema = hstoreSchema
    this.#context = context
  }

  get serverId(): string {
    return this.#site.server.serverId
  }

  /** Why it could not be reached at some point. */
  get problem(): unknown {
    return this.#problem
  }

  /** Works on tasks until none is left, the run is over, or the server cannot be reached. Never rejects. */
  async work(tasks: readonly ShardTask[], { isAlone }: WorkMode): Promise<void> {
    if (this.#isOver) return
    const { settings, ledger } = this.#context
    await using watch = new ServerWatch(this.#site.pool, settings, {
      onExcess: (reason) => ledger.stop(`server ${this.serverId}: ${reason}`),
      onSilence: (error) => this.#giveUp(error),
    })
    this.#queue.append(tasks)
    const workers = isAlone ? 1 : settings.connectionsPerServer
    await Promise.all(Array.from({ length: workers }, () => this.#drain(watch, { isAlone })))
    this.#queue.drain()
  }

  get #isDown(): boolean {
    return this.#problem !== undefined
  }

  get #isOver(): boolean {
    return this.#isDown || this.#context.ledger.isOver
  }

  async #drain(watch: ServerWatch, { isAlone }: WorkMode): Promise<void> {
    while (!this.#isOver) {
      await watch.whenClear(() => this.#isOver)
      const tasks = this.#queue.take((migration) => (isAlone ? 1 : this.#sizeOf(migration)))
      if (tasks.length > 0) await this.#context.permits.run(() => this.#visit(tasks))
      else if (!(await this.#waitForDelayed())) return
    }
  }

  /** False when nothing was put off. */
  async #waitForDelayed(): Promise<boolean> {
    const { delayMs } = this.#queue
    if (delayMs !== undefined) await tryPause(delayMs, this.#context.settings.signal)
    return delayMs !== undefined
  }

  #sizeOf(migration: Migration): number {
    if (migration.kind !== 'sql' || !migration.isShareable) return 1
    return decideBatchSize(this.#readings.get(migration) ?? { shards: 0, ms: 0 })
  }

  /** What was taken is worked on to its end, whatever happens meanwhile. */
  async #visit(tasks: readonly ShardTask[]): Promise<void> {
    const [first] = tasks
    const migration = first?.pending[0]
    if (tasks.length > 1 && migration?.kind === 'sql' && (await this.#tryTogether(tasks, migration))) return
    for (const task of tasks) {
      if (this.#isDown) return
      await this.#visitOne(task)
    }
  }

  async #tryTogether(tasks: readonly ShardTask[], migration: SqlMigration): Promise<boolean> {
    try {
      await this.#runSql(tasks, migration, together)
      this.#advance(tasks, migration, { isOwn: true })
      return true
    } catch (error) {
      if (isUnreachable(error)) this.#giveUp(error)
      return this.#isDown
    }
  }

  async #visitOne(task: ShardTask): Promise<void> {
    const [migration] = task.pending
    try {
      const outcome = await this.#run(task, migration)
      if (outcome === 'held') await this.#putOff(task, undefined)
      else this.#advance([task], migration, { isOwn: outcome === 'done' })
    } catch (error) {
      await this.#lookAgain(task, error)
    }
  }

  async #run(task: ShardTask, migration: Migration): Promise<VisitOutcome> {
    if (migration.kind === 'sql') return this.#runSql([task], migration, this.#context.settings)
    const site = this.#siteOf(task)
    if (migration.kind === 'steps') return runSteps(site, migration)
    if (migration.kind === 'code') return runCode(site, migration)
    await adoptShard(this.#site.pool, task.shardId, this.#context.adoption)
    return 'done'
  }

  async #runSql(tasks: readonly ShardTask[], migration: SqlMigration, limits: BatchLimits): Promise<'done'> {
    const shardIds = tasks.map(({ shardId }) => shardId)
    const text = batchSql({ migration, shardIds, hstoreSchema: this.#hstoreSchema }, limits)
    const startedAt = performance.now()
    await this.#withSession(limits.statementTimeoutMs, (session) => session.execute([text]))
    const { shards, ms } = this.#readings.get(migration) ?? { shards: 0, ms: 0 }
    const spentMs = performance.now() - startedAt
    // What was long ago counts less each time: the first shards are slow, because the session is new.
    this.#readings.set(migration, { shards: shards / 2 + tasks.length, ms: ms / 2 + spentMs })
    return 'done'
  }

  #siteOf({ shardId }: ShardTask): MigrationSite {
    const { settings } = this.#context
    return { pool: this.#site.pool, shardId, hstoreSchema: this.#hstoreSchema, settings }
  }

  /** Whoever has begun with a shard goes on with it: its tables are known to the session. */
  #advance(tasks: readonly ShardTask[], migration: Migration, { isOwn }: { readonly isOwn: boolean }): void {
    const shardIds = tasks.map(({ shardId }) => shardId)
    this.#context.ledger.succeed(migration, shardIds, { isOwn })
    this.#queue.prepend(tasks.flatMap(({ shardId, pending }) => taskOf(shardId, pending.slice(1)) ?? []))
  }

  /** After a failure only the shard itself knows whether a migration has run: another run may have been there first. */
  async #lookAgain(task: ShardTask, error: unknown): Promise<void> {
    const [migration] = task.pending
    if (isUnreachable(error)) return this.#giveUp(error)
    try {
      const verdict = await this.#judge(task.shardId)
      if (verdict.kind === 'ready' && !verdict.pending.includes(migration)) {
        this.#advance([task], migration, { isOwn: isHypervaultError(error, 'HV_CONNECTION_LOST') })
      } else if (verdict.kind === 'moving') this.#exclude(task)
      else if (isRepeatable(error)) await this.#putOff(task, error)
      else this.#fail(task, error)
    } catch (problem) {
      if (isUnreachable(problem)) this.#giveUp(problem)
      else if (isHypervaultError(problem, 'HV_CONNECTION_LOST')) await this.#putOff(task, problem)
      else this.#fail(task, error)
    }
  }

  #judge(shardId: number): Promise<ShardVerdict> {
    return this.#withSession(ROUND_TRIP_SLACK_MS, async (session) => {
      const [state] = await readStates(session, [shardId])
      if (state === undefined) throw new Error('bug: a shard without a state')
      return judgeShard(this.#context.migrations, state)
    })
  }

  /** @param error undefined when somebody else holds the shard itself */
  async #putOff(task: ShardTask, error: unknown): Promise<void> {
    if (isHypervaultError(error, 'HV_CONNECTION_LOST') && !this.#mayLose(task)) return this.#fail(task, error)
    const now = performance.now()
    const heldSince = task.heldSince ?? now
    const again: ShardTask = Object.freeze({ ...task, tries: task.tries + 1, heldSince })
    const { lockBudgetMs } = this.#context.settings
    const decision = decideLockRetry({ tries: again.tries, waitedMs: now - heldSince }, lockBudgetMs)
    if (decision.action === 'again') this.#queue.delay(again, decision.pauseMs)
    else this.#fail(task, await this.#describeHolders(task, decision.waitedMs, error))
  }

  #mayLose({ shardId }: ShardTask): boolean {
    const losses = (this.#losses.get(shardId) ?? 0) + 1
    this.#losses.set(shardId, losses)
    return losses <= MAX_LOSSES
  }

  async #describeHolders({ shardId }: ShardTask, waitedMs: number, cause: unknown): Promise<Error> {
    const { lockTimeoutMs } = this.#context.settings
    const rows = await this.#withSession(ROUND_TRIP_SLACK_MS, (session) => session.read(selectBlockers(lockTimeoutMs)))
    return waitedTooLong({ serverId: this.serverId, shardId }, Math.round(waitedMs), rows, cause)
  }

  /** A move that began after the run did is no failure of the migration. */
  #exclude({ shardId }: ShardTask): void {
    const site = { serverId: this.serverId, shardId }
    this.#context.ledger.exclude(site, unfitError({ ...site, problem: 'moving' }))
  }

  #fail({ shardId, pending: [migration] }: ShardTask, error: unknown): void {
    this.#context.ledger.fail({ serverId: this.serverId, shardId, migration }, error)
  }

  /** The server is not asked any more, and what is under way there is not waited for. */
  #giveUp(problem: unknown): void {
    this.#problem ??= problem
    void this.#site.pool.close({ timeoutMs: 0 })
  }

  #withSession<T>(timeoutMs: number, work: (session: ServerSession) => Promise<T>): Promise<T> {
    // An abort ends the run behind what is under way, which has a bound of its own.
    return withServerSession(
      this.#site.pool,
      { signal: undefined, statementTimeoutMs: timeoutMs + ROUND_TRIP_SLACK_MS },
      work,
    )
  }
}

function isUnreachable(error: unknown): boolean {
  return (
    isHypervaultError(error, 'HV_CONNECT_FAILED') ||
    isHypervaultError(error, 'HV_SERVER_UNUSABLE') ||
    isHypervaultError(error, 'HV_POOL_TIMEOUT') ||
    isHypervaultError(error, 'HV_CLOSED')
  )
}

/** Nothing has been done, or the shard says that it has not. */
function isRepeatable(error: unknown): boolean {
  return isHypervaultError(error, 'HV_CONNECTION_LOST') || waits.has(deepSqlstate(error) ?? '')
}
