import { tryPause } from '../../../pool/pause.ts'
import type { ServerPool } from '../../../pool/server-pool.ts'
import { withServerSession, type ServerStatement } from '../../../server/server-session.ts'
import { decidePace, type PaceDecision, type PaceLimits, type PaceReading } from './decide-pace.ts'

/** How often a server is looked at. */
const INTERVAL_MS = 500

/** A server that does not answer for so long counts as down. */
const ANSWER_MS = 15_000

/** Its slowest standby, and the sessions that wait for locks: `(lagBytes, lockWaits)`. */
const selectLoad: ServerStatement = Object.freeze({
  text: [
    'select',
    '  (select max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) from pg_stat_replication),',
    "  (select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())",
  ].join('\n'),
})

/** Who hears of a server. */
export interface WatchListener {
  /** Over a bound for too long: the run is to stop. */
  onExcess(reason: string): void
  /** It does not answer. */
  onSilence(error: unknown): void
}

/** Looks at a server while shards on it are worked on, and says when they may be touched. */
export class ServerWatch implements AsyncDisposable {
  readonly #pool: ServerPool
  readonly #limits: PaceLimits
  readonly #listener: WatchListener
  readonly #end = new AbortController()
  readonly #loop: Promise<void>
  #decision: PaceDecision = { action: 'go' }
  #overSince: number | undefined

  constructor(pool: ServerPool, limits: PaceLimits, listener: WatchListener) {
    this.#pool = pool
    this.#limits = limits
    this.#listener = listener
    this.#loop = this.#run()
  }

  /** Resolves when shards may be touched, or nobody asks any more: `isOver`, or the end of the watch. */
  async whenClear(isOver: () => boolean): Promise<void> {
    while (this.#decision.action !== 'go' && !isOver() && !this.#end.signal.aborted) {
      await tryPause(INTERVAL_MS, this.#end.signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      const problem = await this.#look()
      if (problem !== undefined && !signal.aborted) return this.#listener.onSilence(problem)
      await tryPause(INTERVAL_MS, signal)
    }
  }

  /** What kept the server from answering. */
  async #look(): Promise<unknown> {
    try {
      const options = { statementTimeoutMs: ANSWER_MS, signal: this.#end.signal }
      const [row] = await withServerSession(this.#pool, options, (session) => session.read(selectLoad))
      this.#judge({ lagBytes: row?.[0] == null ? undefined : Number(row[0]), lockWaits: Number(row?.[1]) })
      return undefined
    } catch (error) {
      return error
    }
  }

  #judge(load: Omit<PaceReading, 'overMs'>): void {
    const now = performance.now()
    const decision = decidePace({ ...load, overMs: now - (this.#overSince ?? now) }, this.#limits)
    this.#overSince = decision.action === 'go' ? undefined : (this.#overSince ?? now)
    this.#decision = decision
    if (decision.action === 'stop') this.#listener.onExcess(decision.reason)
  }
}
