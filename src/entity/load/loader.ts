import { isHypervaultError } from '../../errors.ts'
import type { Body } from '../../hstore/body.ts'
import type { EntityGround } from '../entity-ground.ts'
import { assertKind } from '../rows/entity.ts'
import type { ServerSite } from '../site/server-site.ts'
import type { StoredBatch } from './batch-writer.ts'
import type { Batch, KeptRow } from './batch.ts'
import { openInput, type Input } from './input.ts'
import { Ledger, type LoadAccount } from './ledger.ts'
import type { BatchTicket } from './load-batch.ts'
import { findRefusals, findRefusedRow, loadError, type LoadFailure } from './load-error.ts'
import type { KindOf, LoadProgress, LoadSettings, LoadSource } from './load-options.ts'
import { Notice } from './notice.ts'
import { ProgressMeter } from './progress-meter.ts'
import { ServerLoader, type LoadObserver } from './server-loader.ts'
import { ShardQueue } from './shard-queue.ts'
import { writerSettings } from './writer-settings.ts'

/*
 * The work behind one `load`. A reader takes rows from the source, asks for the shard of each and appends it, encoded,
 * to the shard's last batch. Each server has some workers; one that has a connection takes the batch of the fullest
 * shard. So batches are small while the source is slow and nobody waits for company, and large when the servers are
 * the slow side.
 *
 *   source ──▶ reader ──▶ batches by shard ──▶ workers by server ──▶ ledger ──▶ ids in the order of the source
 *
 * Bounds: the reader pauses while the ledger holds `windowRows` (rows from the oldest whose id has not been taken on,
 * stored or not) or the batches hold `windowBytes`. A row in a shard that never fills could hold back the others for
 * ever: when the ledger is half full, the shard of the oldest row comes first. The oldest row is always in a batch that
 * waits or is being stored, so there is no standstill.
 *
 *   new ──▶ reading ──▶ draining (the source has ended) ──▶ over
 *              └──────────────┴──▶ failed ──▶ over            the first failure counts
 *
 * failed: nothing is read and no batch begins. What is being stored comes to its end, but an abort cuts it. Only when all
 * of it has ended the account is made, so it is exact.
 */

/** A shard with rows, and who stores them. */
interface ShardEntry {
  readonly queue: ShardQueue
  readonly server: ServerLoader
}

/** Reads, stores, and keeps account. */
export class Loader implements LoadObserver {
  readonly #kindOf: KindOf
  readonly #settings: LoadSettings
  readonly #ground: EntityGround
  readonly #source: LoadSource
  readonly #ledger = new Ledger()
  readonly #meter: ProgressMeter
  readonly #servers = new Map<ServerSite, ServerLoader>()
  readonly #shards = new Map<number, ShardEntry>()
  readonly #changed = new Notice()
  readonly #cut = new AbortController()
  readonly #onAbort = (): void => this.#abort(this.#settings.signal?.reason)
  #input: Input | undefined
  #memory = 0
  /** Shards that have moved and are looked for. */
  #departed = 0
  #isBegun = false
  #isReading = false
  #isSettled = false
  #failure: LoadFailure | undefined

  constructor(kindOf: KindOf, source: LoadSource, settings: LoadSettings, ground: EntityGround) {
    this.#kindOf = kindOf
    this.#source = source
    this.#settings = settings
    this.#ground = ground
    this.#meter = new ProgressMeter(settings.onProgress)
  }

  get isHeldBack(): boolean {
    return this.#ledger.size * 2 > this.#settings.windowRows
  }

  get progress(): LoadProgress {
    return this.#meter.read(this.#ledger, this.#memory)
  }

  /** What became of the rows that were read, so far. */
  account(): LoadAccount {
    return this.#ledger.account()
  }

  /** Rows that are stored and whose ids were not given by {@link next}. */
  untaken(): Iterable<[row: number, id: bigint]> {
    return this.#ledger.untaken()
  }

  /** Begins to read and to store; a TypeError the second time. */
  begin(): void {
    if (this.#isBegun) throw new TypeError('a load can run only once: call load() again for another one')
    this.#isBegun = true
    const { signal } = this.#settings
    this.#meter.start()
    if (signal?.aborted === true) return this.#abort(signal.reason)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#isReading = true
    void this.#read()
  }

  /**
   * The ids of the next rows, in the order of the source; none at the end.
   *
   * @throws `HV_LOAD_FAILED` after the last id that can be given in order
   */
  async next(most: number): Promise<bigint[]> {
    for (;;) {
      const before = this.#ledger.size
      const ids = this.#ledger.take(most)
      if (this.#ledger.size < before) this.#changed.notify()
      if (ids.length > 0) return ids
      if (this.#isSettled) return this.#end()
      await this.#changed.wait()
    }
  }

  /** Ends the load as an abort does, and waits until nothing is going on any more. */
  async stop(): Promise<void> {
    if (!this.#isBegun) this.#isBegun = this.#isSettled = true
    if (!this.#isSettled) this.#abort(new Error('the load was stopped'))
    while (!this.#isSettled) await this.#changed.wait()
  }

  committing({ rows }: Batch, ticket: BatchTicket): void | Promise<void> {
    return this.#settings.beforeCommit?.({ rows, ticket })
  }

  stored({ rows, bytes, memory }: Batch, { ids, ticket }: StoredBatch): void {
    this.#ledger.store(rows, ids)
    this.#memory -= memory
    this.#meter.add(rows.length, bytes)
    this.#tell(() => this.#settings.onStored?.({ rows, ticket }))
    this.#report(false)
    this.#changed.notify()
  }

  failed({ rows, memory }: Batch, error: unknown): void {
    if (isHypervaultError(error, 'HV_OUTCOME_UNKNOWN')) this.#ledger.doubt(rows)
    this.#memory -= memory
    this.#fail({ cause: error, row: findRefusedRow(error, rows), isOurs: isHypervaultError(error) })
  }

  leaveOut(batch: Batch, error: unknown): Batch[] | undefined {
    const { onRefused } = this.#settings
    const refusal = onRefused && findRefusals(error, batch)
    if (onRefused === undefined || refusal === undefined) return undefined
    const { refused, rest } = refusal
    this.#memory += rest.reduce((sum, { memory }) => sum + memory, -batch.memory)
    for (const { row } of refused) this.#ledger.refuse(row)
    this.#tell(() => refused.forEach((each) => onRefused(each)))
    this.#changed.notify()
    return rest
  }

  departed(queue: ShardQueue, batch: Batch, error: unknown): void {
    this.#departed += 1
    void this.#follow(queue, batch, error).finally(() => {
      this.#departed -= 1
      this.#settle()
    })
  }

  stranded(error: unknown): void {
    this.#fail({ cause: error, isOurs: isHypervaultError(error) })
  }

  rested(): void {
    this.#settle()
  }

  /** True while no row is wanted. */
  get #isFull(): boolean {
    return this.#ledger.size >= this.#settings.windowRows || this.#memory >= this.#settings.windowBytes
  }

  get #isActive(): boolean {
    return this.#isReading || this.#departed > 0 || [...this.#servers.values()].some(({ isActive }) => isActive)
  }

  async #read(): Promise<void> {
    try {
      this.#input = openInput(this.#source)
      await this.#readAll(this.#input)
    } catch (cause) {
      this.#fail({ cause, row: this.#ledger.rowsRead, isOurs: false })
    }
    this.#isReading = false
    this.#settle()
  }

  async #readAll(input: Input): Promise<void> {
    const take = (row: unknown): boolean => this.#take(row as Body)
    while (this.#failure === undefined) {
      if ((await input.readSlice(take)) === 'ended') return
      while (this.#failure === undefined && this.#isFull) await this.#changed.wait()
    }
    await input.close()
  }

  /** Takes a row; false when no more is wanted for now. */
  #take(body: Body): boolean {
    const row = this.#ledger.enter()
    let isOurs = false
    try {
      const shardId = this.#settings.shardOf(body, row)
      const kind = this.#kindOf(body, row)
      const kept = this.#settings.keptOf?.(body, row, shardId)
      isOurs = true
      this.#append(shardId, row, kind, body, kept)
    } catch (cause) {
      this.#fail({ cause, row, isOurs })
    }
    return this.#failure === undefined && !this.#isFull
  }

  #append(shardId: number, row: number, kind: number, body: Body, kept: KeptRow | undefined): void {
    assertKind(kind)
    const { queue, server } = this.#shards.get(shardId) ?? this.#enlist(shardId)
    this.#memory += queue.append(row, kind, body, kept)
    server.offer(queue)
  }

  #enlist(shardId: number, queue = new ShardQueue(shardId, this.#settings)): ShardEntry {
    const site = this.#ground.siteOf(shardId)
    const server = this.#servers.get(site) ?? this.#makeServer(site)
    this.#servers.set(site, server)
    const entry = { queue, server }
    this.#shards.set(shardId, entry)
    return entry
  }

  #makeServer(site: ServerSite): ServerLoader {
    return new ServerLoader(
      site,
      writerSettings(this.#ground),
      this.#settings.connectionsPerServer,
      this,
      this.#cut.signal,
    )
  }

  /** Waits until a shard is where it can be written to, and goes on there. */
  async #follow(queue: ShardQueue, { attempts, firstTriedAt }: Batch, error: unknown): Promise<void> {
    const { follower, settings } = this.#ground
    const leftMs = firstTriedAt + settings.waitTimeoutMs - performance.now()
    try {
      await follower.follow(error, { shardId: queue.shardId, attempt: attempts, leftMs, signal: this.#cut.signal })
      if (this.#failure === undefined) this.#enlist(queue.shardId, queue).server.resume(queue)
    } catch (cause) {
      this.#fail({ cause, isOurs: isHypervaultError(cause) })
    }
  }

  #abort(reason: unknown): void {
    this.#fail({ cause: reason, isOurs: false })
    this.#cut.abort(reason)
  }

  /** The first failure counts; those that follow are often its consequences. */
  #fail(failure: LoadFailure): void {
    this.#failure ??= failure
    for (const server of this.#servers.values()) server.drop()
    this.#input?.interrupt()
    this.#changed.notify()
    this.#settle()
  }

  /** Looks whether all has come to its end. */
  #settle(): void {
    if (this.#isSettled || this.#isActive) return
    this.#isSettled = true
    this.#settings.signal?.removeEventListener('abort', this.#onAbort)
    this.#shards.clear()
    this.#memory = 0
    this.#meter.stop()
    this.#report(true)
    this.#changed.notify()
  }

  #report(isLast: boolean): void {
    this.#tell(() => this.#meter.report(this.progress, isLast))
  }

  /** Tells the caller something; what that throws ends the load. */
  #tell(tell: () => void): void {
    try {
      tell()
    } catch (cause) {
      this.#fail({ cause, isOurs: false })
    }
  }

  #end(): bigint[] {
    if (this.#failure !== undefined) throw loadError(this.#failure, this.account())
    return []
  }
}
