import type { IdBounds } from '../../find/id-bounds.ts'
import type { MissingShard } from '../scan-page.ts'
import type { ScanGround } from '../scan-run.ts'
import { ServerLines } from '../server-line.ts'
import { isTooSlow } from '../too-slow.ts'
import type { CheckedCount } from './count-options.ts'
import { countError, countReport, type CountReport, type ShardCount } from './count-report.ts'

/** Most shards that are counted at once on one server. */
const COUNTS_PER_SERVER = 3

/** How often a stretch of keys is halved at most: 138 years become twelve days. */
const MAX_DEPTH = 12

/** Counts the entities of each shard by itself, a few at a time on each server. */
export class CountRun {
  readonly #options: CheckedCount
  readonly #ground: ScanGround
  readonly #lines = new ServerLines(COUNTS_PER_SERVER)
  readonly #counts: ShardCount[] = []
  readonly #missing: MissingShard[] = []

  constructor(options: CheckedCount, ground: ScanGround) {
    this.#options = options
    this.#ground = ground
  }

  /** Counts all shards, and waits for each. Throws `HV_COUNT_FAILED` or the reason of the signal. */
  async run(): Promise<CountReport> {
    const { shardIds = this.#ground.topology().shardIds, signal, isSkipping } = this.#options
    signal?.throwIfAborted()
    await Promise.all(shardIds.map((shardId) => this.#countShard(shardId)))
    signal?.throwIfAborted()
    const report = countReport(this.#counts, this.#missing)
    if (report.missingShards.length > 0 && !isSkipping) throw countError(report)
    return report
  }

  /** Never rejects. */
  async #countShard(shardId: number): Promise<void> {
    const { follower, settings } = this.#ground
    const { signal } = this.#options
    try {
      const count = await follower.run(shardId, { timeoutMs: settings.waitTimeoutMs, signal }, () =>
        this.#countStretch(shardId, this.#options.query.bounds),
      )
      this.#counts.push({ shardId, count })
    } catch (error) {
      const serverId = this.#ground.topology().findServer(shardId)?.serverId
      this.#missing.push({ shardId, serverId, error })
    }
  }

  /** Counts a stretch by two statements if one would take too long. */
  async #countStretch(shardId: number, stretch: IdBounds, depth = 0): Promise<number> {
    try {
      return await this.#countOnce(shardId, stretch)
    } catch (error) {
      if (!isTooSlow(error) || depth === MAX_DEPTH) throw error
    }
    const middle = (stretch.first + stretch.last) / 2n
    const lower = await this.#countStretch(shardId, { first: stretch.first, last: middle }, depth + 1)
    return lower + (await this.#countStretch(shardId, { first: middle + 1n, last: stretch.last }, depth + 1))
  }

  async #countOnce(shardId: number, stretch: IdBounds): Promise<number> {
    const { query, signal } = this.#options
    const { serverId } = this.#ground.topology().getServer(shardId)
    return this.#lines.at(serverId).run(() => this.#ground.reader.count(shardId, stretch, query, signal))
  }
}
