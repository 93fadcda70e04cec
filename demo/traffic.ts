import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Datastore } from '../src/index.ts'
import type { StoredCity } from './load.ts'
import { WriteLedger, type FoundWrite, type WriteAccount } from './write-ledger.ts'

/** Kind of the entities that the writers make. */
const TRAFFIC = 2

/** Who works on a shard. */
export interface TrafficOptions {
  readonly db: Datastore
  readonly shardId: number
  readonly writers: number
  readonly readers: number
  /** What the readers read, and compare. */
  readonly cities: readonly StoredCity[]
  /** Pause of each caller between two calls. */
  readonly paceMs: number
}

/** What the callers saw. */
export interface TrafficAccount extends WriteAccount {
  readonly reads: number
  /** Reads that gave something else than what was stored. */
  readonly wrongReads: number
  /** Calls that ended with an error; {@link Traffic.firstFailure} is the first of them. */
  readonly failed: number
  /** The longest that a writer waited for one answer. */
  readonly longestWriteMs: number
}

/** Callers that write into one shard and read from it, side by side, until they are stopped. */
export class Traffic implements AsyncDisposable {
  readonly #options: TrafficOptions
  readonly #ledger = new WriteLedger()
  readonly #callers: readonly Promise<void>[]
  #isStopped = false
  #puts = 0
  #reads = 0
  #wrongReads = 0
  #failed = 0
  #longestWriteMs = 0
  #firstFailure: unknown

  constructor(options: TrafficOptions) {
    this.#options = options
    const callers = [
      ...Array.from({ length: options.writers }, () => () => this.#write()),
      ...Array.from({ length: options.readers }, (_, at) => () => this.#read(at)),
    ]
    this.#callers = callers.map((call) => this.#repeat(call))
  }

  get firstFailure(): unknown {
    return this.#firstFailure
  }

  /** Resolves when so many writes more were acknowledged, or some calls have failed. */
  async waitForWrites(count: number, signal?: AbortSignal): Promise<void> {
    const goal = this.#ledger.acknowledged + count
    while (this.#ledger.acknowledged < goal && this.#failed === 0) await sleep(10, undefined, { signal })
  }

  /** Lets every caller end its call, and compares what they were promised with what is there. */
  async stop(): Promise<TrafficAccount> {
    await this[Symbol.asyncDispose]()
    return {
      ...this.#ledger.judge(await this.#listWrites()),
      reads: this.#reads,
      wrongReads: this.#wrongReads,
      failed: this.#failed,
      longestWriteMs: Math.round(this.#longestWriteMs),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#callers)
  }

  async #repeat(call: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) {
      try {
        await call()
      } catch (error) {
        this.#firstFailure ??= error
        this.#failed += 1
      }
      await sleep(this.#options.paceMs)
    }
  }

  /** An entity, and a change of it. */
  async #write(): Promise<void> {
    const { db, shardId } = this.#options
    const number = (this.#puts += 1)
    const key = await this.#timed(() => db.put(shardId, TRAFFIC, { number: String(number), version: '1' }))
    this.#ledger.note(number, key, 1)
    const { status } = await this.#timed(() => db.update(key, { set: { version: '2' } }))
    if (status !== 'changed') throw new Error(`what was put as ${key.toString()} is ${status}`)
    this.#ledger.note(number, key, 2)
  }

  async #timed<T>(call: () => Promise<T>): Promise<T> {
    const startedAt = performance.now()
    const result = await call()
    this.#longestWriteMs = Math.max(this.#longestWriteMs, performance.now() - startedAt)
    return result
  }

  async #read(first: number): Promise<void> {
    const { db, cities, readers } = this.#options
    const stored = cities[(first + this.#reads * readers) % cities.length]
    if (stored === undefined) return
    const entity = await db.get(stored.key)
    this.#reads += 1
    if (!isDeepStrictEqual(entity?.body, stored.city)) this.#wrongReads += 1
  }

  async #listWrites(): Promise<FoundWrite[]> {
    const { db, shardId } = this.#options
    const rows: FoundWrite[] = []
    for await (const { key, body } of db.scan({ shards: [shardId], kind: TRAFFIC })) {
      rows.push({ key, number: Number(body.number), version: Number(body.version) })
    }
    return rows
  }
}
