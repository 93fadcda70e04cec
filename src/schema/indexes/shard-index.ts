import { HypervaultError } from '../../errors.ts'
import { sqlstateOf } from '../../pool/failure.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { IndexSpec } from './index-definition.ts'
import { waitedTooLong } from './index-failure.ts'
import type { IndexSettings } from './index-options.ts'
import {
  analyzeSql,
  boundLocksSql,
  createIndexSql,
  dropIndexSql,
  selectBlockers,
  selectIndexState,
} from './index-sql.ts'

/** What became of an index in one shard. */
export type IndexOutcome = 'created' | 'repaired' | 'dropped' | 'unchanged'

/** What there is under a name: nothing, the index, or what an index that failed leaves behind. */
type IndexState = 'absent' | 'valid' | 'invalid'

/** SQLSTATEs of a wait for others that was given up. */
const waits: ReadonlySet<string> = new Set([
  '55P03', // lock_not_available
  '40P01', // deadlock_detected
])

/** Longest wait for taking away what a failed index left behind. */
const LEFTOVER_LOCK_MS = 1_000

/** The index of one shard, which the session has for itself. */
export class ShardIndex {
  readonly #session: ServerSession
  readonly #shardId: number
  readonly #name: string
  readonly #settings: IndexSettings

  constructor(session: ServerSession, shardId: number, name: string, settings: IndexSettings) {
    this.#session = session
    this.#shardId = shardId
    this.#name = name
    this.#settings = settings
  }

  /** Creates the index unless it is there; what a failed creation left behind is taken away before. */
  async create(spec: IndexSpec, hstoreSchema: string): Promise<IndexOutcome> {
    const state = await this.#readState()
    if (state === 'valid') return 'unchanged'
    if (state === 'invalid') await this.#drop()
    await this.#build(createIndexSql(this.#shardId, spec, hstoreSchema))
    if (spec.field !== undefined) await this.#session.execute([analyzeSql(this.#shardId)])
    return state === 'invalid' ? 'repaired' : 'created'
  }

  /** Drops the index if it is there. */
  async drop(): Promise<IndexOutcome> {
    if ((await this.#readState()) === 'absent') return 'unchanged'
    await this.#drop()
    return 'dropped'
  }

  /** Waits for index builds of other shards again and again, for other transactions only once: they may never end. */
  async #build(sql: string): Promise<void> {
    const deadline = performance.now() + this.#settings.buildTimeoutMs
    for (;;) {
      try {
        return await this.#session.execute([sql])
      } catch (error) {
        const problem = await this.#judge(error)
        // An index that is not valid serves no find, but a unique one refuses entities all the same.
        await this.#dropLeftover()
        if (problem !== undefined || performance.now() > deadline) throw problem ?? error
        this.#settings.signal?.throwIfAborted()
      }
    }
  }

  /** What to fail with; undefined when it only waited for other builds. */
  async #judge(error: unknown): Promise<unknown> {
    const sqlstate = sqlstateOf((error as Error).cause)
    if (sqlstate === undefined || !waits.has(sqlstate)) return error
    const { lockTimeoutMs } = this.#settings
    const rows = await this.#session.read(selectBlockers(sqlstate === '55P03' ? lockTimeoutMs : 0))
    const others = rows.filter(([, , , , isIndexBuild]) => isIndexBuild !== 't')
    const isOnlyBuilds = others.length === 0 && (rows.length > 0 || sqlstate === '40P01')
    return isOnlyBuilds ? undefined : waitedTooLong(this.#site, lockTimeoutMs, others, error)
  }

  /** Within a short bound: what held up the index may hold up this too. */
  async #dropLeftover(): Promise<void> {
    const { lockTimeoutMs } = this.#settings
    try {
      await this.#session.execute([boundLocksSql(Math.min(lockTimeoutMs, LEFTOVER_LOCK_MS))])
      if ((await this.#readState()) === 'invalid') await this.#drop()
      await this.#session.execute([boundLocksSql(lockTimeoutMs)])
    } catch {
      // What it was left behind by is told; the next run finds it and takes it away.
    }
  }

  #drop(): Promise<void> {
    return this.#session.execute([dropIndexSql(this.#shardId, this.#name)])
  }

  async #readState(): Promise<IndexState> {
    const [row] = await this.#session.read(selectIndexState(this.#shardId, this.#name))
    const [table, index, isValid, isOfTable, isOfConstraint] = row ?? []
    if (table == null) throw this.#missingError()
    if (index == null) return 'absent'
    if (isOfTable !== 't') throw new Error(`${this.#name} is already the name of another object`)
    if (isOfConstraint === 't') throw new Error(`${this.#name} belongs to a constraint: alter the table to drop it`)
    return isValid === 't' ? 'valid' : 'invalid'
  }

  get #site(): { serverId: string; shardId: number } {
    return { serverId: this.#session.serverId, shardId: this.#shardId }
  }

  #missingError(): HypervaultError<'HV_SHARD_MISSING'> {
    const { serverId, shardId } = this.#site
    const message = `shard ${shardId} on server ${serverId} does not exist`
    return new HypervaultError('HV_SHARD_MISSING', message, { serverId, shardId })
  }
}
