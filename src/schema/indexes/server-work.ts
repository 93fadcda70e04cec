import { isHypervaultError } from '../../errors.ts'
import { onAbort } from '../../pool/abort-group.ts'
import { tryPause } from '../../pool/pause.ts'
import { AnswerWatch } from '../../server/answer-watch.ts'
import { withServerSession, type ServerSession } from '../../server/server-session.ts'
import type { ServerSite } from '../../server/server-sites.ts'
import { holdShard } from '../hold-shard.ts'
import { readServerFacts } from '../inspect.ts'
import { toIndexFailure, type IndexFailure } from './index-failure.ts'
import type { IndexSettings } from './index-options.ts'
import { boundLocksSql, boundStatementsSql, cancelBackend } from './index-sql.ts'
import type { IndexOutcome } from './shard-index.ts'

/*
 * The work on one index in the shards of one server. The catalogs of the server are authoritative: nothing is written
 * down about how far a run has come, so a second run after any end is the same run again.
 *
 *   shard   waiting ──▶ locked ──▶ done | failed
 *             ▲           └▶ held by another run: to the end of the queue, and asked for again after a pause
 *             └───────────────┘
 *
 * Two runs share the work: whoever comes second to a shard finds the index there. A crash releases the locks, and leaves
 * at most an index that is not valid, which the next run repairs. A server that cannot be reached fails as a whole, a
 * shard that fails leaves the others.
 */

/** What is done in one shard. */
export type ShardWork = (session: ServerSession, shardId: number, hstoreSchema: string) => Promise<IndexOutcome>

/** What became of the shards of one server. */
export interface ServerOutcome {
  readonly serverId: string
  readonly outcomes: ReadonlyMap<number, IndexOutcome>
  readonly failures: readonly IndexFailure[]
}

/** Pause before a shard that another run holds is asked for again. */
const HELD_PAUSE_MS = 200

/** The server's own bound comes first, so that it can say which it was. */
const ROUND_TRIP_SLACK_MS = 60_000

/** How long a cancelled statement may take to end, with what is cleaned up behind it, before its connection is cut. */
const ABORT_GRACE_MS = 15_000

/** Does the work in each shard of a server. */
export class ServerWork {
  readonly #site: ServerSite
  readonly #work: ShardWork
  readonly #settings: IndexSettings
  readonly #queue: number[]
  readonly #outcomes = new Map<number, IndexOutcome>()
  readonly #failures: IndexFailure[] = []
  #hstoreSchema = ''

  constructor(site: ServerSite, work: ShardWork, settings: IndexSettings) {
    this.#site = site
    this.#work = work
    this.#settings = settings
    this.#queue = [...site.server.shardIds]
  }

  /** Never rejects. After an abort some shards are in neither list. */
  async run(): Promise<ServerOutcome> {
    this.#tellProgress()
    await using watch = new AnswerWatch(this.#site.pool)
    try {
      await this.#withSession(async (session) => {
        this.#hstoreSchema = (await readServerFacts(session)).hstoreSchema ?? 'public'
      })
      await Promise.all(Array.from({ length: this.#settings.connectionsPerServer }, () => this.#drain(watch)))
    } catch (error) {
      this.#giveUp(watch.problem ?? error)
    }
    return { serverId: this.#serverId, outcomes: this.#outcomes, failures: this.#failures }
  }

  get #serverId(): string {
    return this.#site.server.serverId
  }

  /** One of several that take shards from the same queue. */
  async #drain(watch: AnswerWatch): Promise<void> {
    for (let shardId = this.#queue.shift(); shardId !== undefined; shardId = this.#queue.shift()) {
      if (this.#settings.signal?.aborted === true) return
      await this.#visit(shardId, watch)
    }
  }

  async #visit(shardId: number, watch: AnswerWatch): Promise<void> {
    try {
      const outcome = await this.#withSession((session) => this.#workInShard(session, shardId))
      if (outcome === undefined) return await this.#putOff(shardId)
      this.#outcomes.set(shardId, outcome)
    } catch (error) {
      if (this.#settings.signal?.aborted === true) return
      if (watch.problem !== undefined) return this.#giveUp(watch.problem)
      if (isHypervaultError(error, 'HV_CONNECT_FAILED') || isHypervaultError(error, 'HV_SERVER_UNUSABLE')) {
        return this.#giveUp(error)
      }
      this.#failures.push(toIndexFailure(this.#serverId, shardId, error))
    }
    this.#tellProgress()
  }

  /** Undefined when another run holds the shard. */
  async #workInShard(session: ServerSession, shardId: number): Promise<IndexOutcome | undefined> {
    const { lockTimeoutMs, buildTimeoutMs } = this.#settings
    await session.execute([boundLocksSql(lockTimeoutMs), boundStatementsSql(buildTimeoutMs)])
    return holdShard(session, shardId, ['index'], () =>
      this.#untilAborted(session, () => this.#work(session, shardId, this.#hstoreSchema)),
    )
  }

  /** An abort ends the statement at the server too: cut off, it would go on, and hold the shard. */
  async #untilAborted<T>(session: ServerSession, work: () => Promise<T>): Promise<T> {
    const { signal } = this.#settings
    const [row] = await session.read({ text: 'select pg_backend_pid()' })
    signal?.throwIfAborted()
    using _ = onAbort(signal, () => void this.#cancel(row?.[0] ?? ''))
    return await work()
  }

  async #cancel(pid: string): Promise<void> {
    // Without the signal of the run, which is aborted. If it fails, the statement ends by its own bound.
    await withServerSession(this.#site.pool, { signal: undefined, statementTimeoutMs: ABORT_GRACE_MS }, (session) =>
      session.read(cancelBackend(pid)),
    ).catch(() => undefined)
  }

  async #putOff(shardId: number): Promise<void> {
    this.#queue.push(shardId)
    await tryPause(HELD_PAUSE_MS, this.#settings.signal)
  }

  /** A server that does not answer is asked no more. */
  #giveUp(error: unknown): void {
    const isFirst = this.#queue.splice(0).length > 0 || this.#failures.length === 0
    if (isFirst) this.#failures.push(toIndexFailure(this.#serverId, undefined, error))
  }

  #withSession<T>(work: (session: ServerSession) => Promise<T>): Promise<T> {
    const { signal, buildTimeoutMs } = this.#settings
    return withServerSession(
      this.#site.pool,
      { signal, statementTimeoutMs: buildTimeoutMs + ROUND_TRIP_SLACK_MS, abortGraceMs: ABORT_GRACE_MS },
      work,
    )
  }

  #tellProgress(): void {
    const done = this.#outcomes.size + this.#failures.length
    const total = this.#site.server.shardIds.length
    this.#settings.onProgress(Object.freeze({ serverId: this.#serverId, done, total }))
  }
}
