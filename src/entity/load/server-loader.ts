import { isHypervaultError } from '../../errors.ts'
import { onAbort } from '../../pool/abort-group.ts'
import type { Lease } from '../../pool/lease.ts'
import { ShardSession } from '../../shard/shard-session.ts'
import { isDead } from '../../shard/statement-error.ts'
import { drawDistinctKeys } from '../rows/key-drawer.ts'
import type { ServerSite } from '../site/server-site.ts'
import { BatchWriter, type StoredBatch } from './batch-writer.ts'
import type { Batch } from './batch.ts'
import type { BatchTicket } from './load-batch.ts'
import { decideNext, type ShardQueue } from './shard-queue.ts'
import type { WriterSettings } from './writer-settings.ts'

/**
 * Shards that one connection may have stored into before it is closed. The backend keeps each table in its catalog
 * cache: too many cost it memory for as long as it lives, too few cost a connect each time.
 */
const MAX_SHARDS_TOUCHED = 256

/** Batches after which a connection goes back to the pool for a moment, so that it is replaced when it is too old. */
const MAX_BATCHES_PER_LEASE = 100

/** How often a batch is begun whose connection is lost before the commit. */
const MAX_ATTEMPTS = 3

/** Who is told what became of the batches. */
export interface LoadObserver {
  /** Whether the oldest row holds back too many others. */
  readonly isHeldBack: boolean
  /** A batch is committed as soon as this resolves, and not if it rejects. */
  committing(batch: Batch, ticket: BatchTicket): void | Promise<void>
  stored(batch: Batch, stored: StoredBatch): void
  failed(batch: Batch, error: unknown): void
  /** The server refused the batch. What is to be stored in its place, if the load goes on without a row of it. */
  leaveOut(batch: Batch, error: unknown): readonly Batch[] | undefined
  /** The shard has moved or is about to. The batch, of which nothing is stored, is the queue's first again. */
  departed(queue: ShardQueue, batch: Batch, error: unknown): void
  /** No connection could be had. */
  stranded(error: unknown): void
  /** A connection was given back and is not taken again for now. */
  rested(): void
}

/** What to do about a batch of which nothing is stored. */
export type Refusal = 'again' | 'follow' | 'fail'

/** Decides what to do about a batch that was not stored. A lost connection proves nothing against the batch. */
export function decideRefusal(error: unknown, attempts: number): Refusal {
  if (isHypervaultError(error, 'HV_CONNECTION_LOST')) return attempts < MAX_ATTEMPTS ? 'again' : 'fail'
  return isHypervaultError(error, 'HV_SHARD_MOVED') || isHypervaultError(error, 'HV_SHARD_MISSING') ? 'follow' : 'fail'
}

/** Stores the batches of all shards of one server, on a bounded number of connections. */
export class ServerLoader {
  readonly #site: ServerSite
  readonly #settings: WriterSettings
  readonly #limit: number
  readonly #observer: LoadObserver
  readonly #signal: AbortSignal
  /** Shards with rows that nobody is storing into. */
  readonly #waiting = new Set<ShardQueue>()
  /** Shards that are being stored into, and want keys for their next batch meanwhile. */
  readonly #wanting = new Set<ShardQueue>()
  readonly #touched = new WeakMap<object, Set<number>>()
  #workers = 0
  #isDropped = false

  /** @param signal cuts what is being written */
  constructor(site: ServerSite, settings: WriterSettings, limit: number, observer: LoadObserver, signal: AbortSignal) {
    this.#site = site
    this.#settings = settings
    this.#limit = limit
    this.#observer = observer
    this.#signal = signal
  }

  /** True while there is something to store or being stored, or a connection is held. */
  get isActive(): boolean {
    return this.#workers > 0 || this.#waiting.size > 0
  }

  /** A shard has got rows. */
  offer(queue: ShardQueue): void {
    if (this.#isDropped) return
    if (!queue.isTaken) this.#waiting.add(queue)
    else if (queue.keysWanted > 0) this.#wanting.add(queue)
    else return
    const isHelpWanted = this.#workers < this.#waiting.size || this.#wanting.size > 0
    if (isHelpWanted && this.#workers < this.#limit) void this.#work()
  }

  /** Nobody is storing into a shard any more. */
  resume(queue: ShardQueue): void {
    queue.isTaken = queue.isAway = false
    this.#wanting.delete(queue)
    if (!queue.isEmpty) this.offer(queue)
  }

  /** Drops what is not being stored, and takes nothing any more. */
  drop(): void {
    this.#isDropped = true
    this.#waiting.clear()
    this.#wanting.clear()
  }

  async #work(): Promise<void> {
    this.#workers += 1
    try {
      while (this.#waiting.size > 0 || this.#wanting.size > 0) await this.#borrow()
    } catch (error) {
      // As long as another worker gets on, one connection less is no failure.
      if (this.#workers === 1) this.#observer.stranded(error)
    } finally {
      this.#workers -= 1
      this.#observer.rested()
    }
  }

  /** Stores on one connection, until there is nothing to store or others want it. */
  async #borrow(): Promise<void> {
    const { pool } = this.#site
    await using lease = (await pool.acquire({ signal: this.#signal })).vouch()
    for (let batches = 0; batches < MAX_BATCHES_PER_LEASE && isUsable(lease); batches += 1) {
      const queue = decideNext(this.#waiting, this.#observer.isHeldBack) ?? this.#firstWanting
      if (queue === undefined) return
      if (queue.isTaken) await this.#drawAhead(queue, lease)
      else await this.#storeFirst(queue, lease)
      if (pool.isContended) return
      this.#replaceIfSpent(lease, queue.shardId)
    }
  }

  get #firstWanting(): ShardQueue | undefined {
    const [first] = this.#wanting
    return first
  }

  /** Draws the keys of the next batch of a shard that another worker stores into. */
  async #drawAhead(queue: ShardQueue, lease: Lease): Promise<void> {
    this.#wanting.delete(queue)
    using _ = onAbort(this.#signal, () => {
      if (!lease.isReturned) lease.destroy()
    })
    const session = new ShardSession(queue.shardId, lease, this.#settings.log, this.#settings.statementTimeoutMs)
    await queue.keys.fill(queue.keysWanted, (count) => drawDistinctKeys(session, { count, site: this.#site }))
  }

  async #storeFirst(queue: ShardQueue, lease: Lease): Promise<void> {
    this.#waiting.delete(queue)
    const batch = queue.take()
    this.offer(queue)
    const writer = new BatchWriter(queue, this.#site, lease, this.#settings, {
      beforeCommit: (ticket) => this.#observer.committing(batch, ticket),
      onKeys: () => this.offer(queue),
    })
    try {
      this.#observer.stored(batch, await writer.store(batch, this.#signal))
    } catch (error) {
      return await this.#refused(queue, batch, error)
    }
    this.resume(queue)
  }

  async #refused(queue: ShardQueue, batch: Batch, error: unknown): Promise<void> {
    const refusal = this.#isDropped ? 'fail' : decideRefusal(error, batch.attempts)
    if (refusal === 'fail') return this.#failed(queue, batch, error)
    queue.putBack(batch)
    if (refusal === 'again') return this.resume(queue)
    queue.isAway = true
    await queue.keys.clear()
    this.#observer.departed(queue, batch, error)
  }

  #failed(queue: ShardQueue, batch: Batch, error: unknown): void {
    const rest = this.#isDropped ? undefined : this.#observer.leaveOut(batch, error)
    if (rest === undefined) return this.#observer.failed(batch, error)
    queue.putBack(...rest)
    this.resume(queue)
  }

  #replaceIfSpent(lease: Lease, shardId: number): void {
    const touched = this.#touched.get(lease.client) ?? new Set()
    this.#touched.set(lease.client, touched.add(shardId))
    if (touched.size >= MAX_SHARDS_TOUCHED && !lease.isReturned) lease.close()
  }
}

function isUsable(lease: Lease): boolean {
  return !lease.isReturned && !isDead(lease.client)
}
