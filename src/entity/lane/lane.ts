import { isHypervaultError } from '../../errors.ts'
import type { Channel, FlightOutcome, FlightTerms, Passenger } from '../../pool/channel.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { statementError } from '../../shard/statement-error.ts'
import { Apart, type Interruption } from './apart.ts'
import { isDivisible, isOfOneRow } from './divisible.ts'
import type { LaneSite } from './lane-site.ts'
import { OperationQueue } from './operation-queue.ts'
import type { Operation } from './operation.ts'

/*
 * A lane coalesces the concurrent operations of one sort on one shard. Nothing waits for company: an operation on an
 * idle lane leaves at the end of the turn of the event loop, with those of the same turn. While a statement of the lane
 * is in flight, later operations gather, and leave together as the next one. Every caller gets what a statement of its
 * own would have given.
 *
 *   idle ──▶ boarding ──▶ flying ──▶ idle, or boarding again if somebody waits
 *
 *   operation   waiting ──▶ in a batch ──▶ settled
 *   waiting     checked and encoded, so that it is what it was at the call, and no larger than what the caller holds;
 *               leaves by batch, by its signal, or when it has waited too long
 *   in a batch  its signal settles it, but does not undo it
 *   apart       its joint statement kept the channel and was cancelled: it goes by itself (see ApartDesk). What changes the
 *               same entity is held back until it is done. After that the lane goes on as before; but until one of those
 *               apart gets through, everything of the lane goes apart, because the whole table may be locked.
 *
 *   a batch comes back          and then
 *   with rows                   each operation gets its own
 *   refused for what is in it   it is cut in halves that go before all others, until the bad one is alone and fails
 *   interrupted, because it     all go apart; or again, if the cancel was meant for another statement
 *   kept others waiting
 *   refused by the fence of a   the lane rests until it is known where the shard lives, and all go on there
 *   move, or by a shard gone
 *   refused otherwise           all fail
 *   lost, never begun           it goes again, before all others
 *   lost                        reads go again once; writes are HV_OUTCOME_UNKNOWN
 */

/** Operations that travel in one statement. */
export interface Batch<Input, Output, Cargo> {
  readonly items: readonly Operation<Input, Output, Cargo>[]
  /** How often it was sent. */
  attempts: number
  /** What its statement took for granted of the table, for lanes that have to know. */
  assumesUpdated?: boolean
  /** The name of hstore in its statement, and the one that a refusal has disproved. */
  namesHstore?: string | undefined
  refutedHstore?: string | undefined
  /** Whether its statement was a question to be answered before it, which leaves nothing behind. */
  isQuestion?: boolean
}

/** One lane; the subclasses say what travels in it. */
export abstract class Lane<Input, Output, Cargo> implements Passenger {
  readonly waitsForRows: boolean = false
  protected readonly site: LaneSite
  readonly #waiting: OperationQueue<Input, Output, Cargo>
  #returned: Batch<Input, Output, Cargo>[] = []
  readonly #apart: Apart<Input, Output, Cargo>
  readonly #findSuccessor: () => Lane<Input, Output, Cargo>
  #followed = 0
  /** Why the lane goes after its shard, while it does. */
  #refusal: unknown
  #isBoarding = false
  #isFlying = false
  /** Operations in flight on the channel, and when they were sent. */
  #flown = 0
  #sentAt = 0
  readonly #terms: FlightTerms = {
    isDue: (waitedMs, isWanted) => waitedMs >= this.#apart.patienceMs && (isWanted || this.#isWaitedFor) && 'ifBlocked',
  }

  /** @param findSuccessor the lane of this sort where the shard lives now; this one, unless the shard has moved */
  constructor(site: LaneSite, findSuccessor: () => Lane<Input, Output, Cargo>) {
    this.site = site
    this.#findSuccessor = findSuccessor
    this.#apart = new Apart(site, {
      entityOf: (input) => this.entityOf(input),
      fly: (channel, operation, terms) => this.#flyApart(channel, operation, terms),
      comeBack: (operations) => {
        for (const operation of operations) this.#returned.push({ items: [operation], attempts: 0 })
        this.#board()
      },
      isOver: (operation) => this.#waiting.isOver(operation),
    })
    const { heldBack } = this.#apart
    this.#waiting = new OperationQueue({
      waitTimeoutMs: site.waitTimeoutMs,
      timeoutError: (waitedMs) => (this.#refusal as Error | undefined) ?? site.pool.timeoutError(waitedMs),
      others: {
        oldestStartedAt: () => heldBack.first()?.startedAt,
        expire: () => heldBack.keep((operation) => !this.#waiting.isOver(operation)),
      },
    })
  }

  /** Does what `input` asks for. Rejects with the reason of the signal; what is in flight then is not undone. */
  add(input: Input, signal: AbortSignal | undefined): Promise<Output> {
    const output = this.#enter(input, signal)
    this.#board()
    this.#waiting.watch()
    return output
  }

  /** Does many at once; they need one look at the queue. */
  addAll(inputs: readonly Input[], signal: AbortSignal | undefined): Promise<Output[]> {
    const outputs = Promise.all(inputs.map((input) => this.#enter(input, signal)))
    this.#board()
    this.#waiting.watch()
    return outputs
  }

  depart(channel: Channel): void {
    this.#isBoarding = false
    const batch = this.#nextBatch()
    if (batch.items.length === 0) return
    this.#isFlying = true
    void this.#fly(channel, batch)
  }

  strand(error: unknown): void {
    this.#isBoarding = false
    if (isHypervaultError(error, 'HV_POOL_TIMEOUT')) this.#expireAll()
    else this.#rejectWaiting(error)
    this.#board()
  }

  /** Whether the statement of a batch may leave something behind. */
  protected abstract isWrite(batch: Batch<Input, Output, Cargo>): boolean
  /** Most rows, and most size, of one statement. */
  protected abstract readonly limits: { readonly rows: number; readonly size: number }

  /** Checks and encodes an input, before it is sent. */
  protected abstract load(input: Input): Cargo

  /** How much of the room in a statement this takes, besides one row. */
  protected abstract sizeOf(cargo: Cargo): number

  protected abstract compose(batch: Batch<Input, Output, Cargo>): ShardStatement

  /** Gives each operation its own out of the rows; or `again`, if they were the answer to a question before it. */
  protected abstract deliver(batch: Batch<Input, Output, Cargo>, rows: readonly TextRow[]): void | 'again'

  /** The entity that an input changes, which only one statement at a time may do. */
  protected entityOf(_input: Input): bigint | undefined {
    return undefined
  }

  /** Whether an operation may travel with those gathered before it; if not, it waits for the next statement. */
  protected admits(
    _gathered: readonly Operation<Input, Output, Cargo>[],
    _next: Operation<Input, Output, Cargo>,
  ): boolean {
    return true
  }

  /** Whether a batch that was refused should go again as it is; may throw what its operations are to get. */
  protected shouldRepeat(_batch: Batch<Input, Output, Cargo>, _error: unknown): boolean {
    return false
  }

  #enter(input: Input, signal: AbortSignal | undefined): Promise<Output> {
    return this.#waiting.enter(input, () => this.load(input), signal)
  }

  #board(): void {
    if (this.#isBoarding || this.#isFlying) return
    if (this.#waiting.size === 0 && this.#returned.length === 0) return
    if (this.#apart.isSuspect) return void this.#probe()
    this.#isBoarding = true
    this.site.pickChannel(this.waitsForRows).board(this)
  }

  #nextBatch(maxRows = this.limits.rows): Batch<Input, Output, Cargo> {
    for (let batch = this.#returned.shift(); batch !== undefined; batch = this.#returned.shift()) {
      const items = batch.items.filter((operation) => !operation.isSettled && !this.#apart.holdsBack(operation))
      if (items.length > 0) return { ...batch, items }
    }
    return { items: this.#gather(maxRows), attempts: 0 }
  }

  #gather(rows: number): Operation<Input, Output, Cargo>[] {
    const items: Operation<Input, Output, Cargo>[] = []
    let left = this.limits.size
    for (let next = this.#waiting.peek(); next !== undefined && items.length < rows; next = this.#waiting.peek()) {
      const isPassed = next.isSettled || this.#apart.holdsBack(next)
      if (!isPassed && items.length > 0 && this.sizeOf(next.cargo) > left) break
      if (!isPassed && !this.admits(items, next)) break
      this.#waiting.shift()
      if (isPassed) continue
      items.push(next)
      left -= this.sizeOf(next.cargo)
    }
    return items
  }

  /** Whether the statement in flight keeps anybody of this lane waiting who need not wait. */
  get #isWaitedFor(): boolean {
    return this.#flown > 1 || this.#waiting.size > 0 || this.#returned.length > 0
  }

  async #fly(channel: Channel, batch: Batch<Input, Output, Cargo>): Promise<void> {
    this.#flown = batch.items.length
    this.#sentAt = performance.now()
    try {
      batch.attempts += 1
      await this.#land(batch, await this.#send(channel, batch, this.#terms))
    } catch (error) {
      rejectAll(batch, error)
    }
    this.#isFlying = false
    this.#board()
  }

  async #send(channel: Channel, batch: Batch<Input, Output, Cargo>, terms: FlightTerms): Promise<FlightOutcome> {
    const { shardId, pool, log } = this.site
    const statement = this.compose(batch)
    const record = log.begin(statement.text, { serverId: pool.serverId, shardId })
    const outcome = await channel.run(statement, terms)
    if (outcome.kind === 'rows') record.succeed(outcome.rows.length)
    else record.fail(outcome.error)
    return outcome
  }

  #land(batch: Batch<Input, Output, Cargo>, outcome: FlightOutcome): Promise<void> | undefined {
    if (outcome.kind === 'interrupted') return this.#interrupted(batch, outcome)
    if (outcome.kind === 'refused') return this.#refused(batch, outcome.error, outcome.sqlstate)
    this.#followed = 0
    if (outcome.kind === 'lost') this.#lost(batch, outcome.error, outcome.wasRead)
    else if (this.deliver(batch, outcome.rows) === 'again') this.#returned.unshift(batch)
    return undefined
  }

  /** Nothing was done. */
  #interrupted(batch: Batch<Input, Output, Cargo>, { error, isCause }: Interruption): undefined {
    if (isCause) this.#apart.take(batch.items, { cause: error, sentAt: this.#sentAt })
    else this.#returned.unshift({ ...batch, attempts: batch.attempts - 1 })
  }

  #refused(batch: Batch<Input, Output, Cargo>, error: unknown, sqlstate: string): Promise<void> | undefined {
    if (this.shouldRepeat(batch, error)) this.#returned.unshift(batch)
    else if (batch.items.length > 1 && isOfOneRow(sqlstate)) this.#apart.take(batch.items, { cause: error, sentAt: 0 })
    else if (batch.items.length > 1 && isDivisible(sqlstate)) this.#returned.unshift(...halvesOf(batch))
    else return this.#follow(batch, this.#error(error, this.isWrite(batch)))
    return undefined
  }

  /** Sends one operation off the channels; gives what cancelled it. Never rejects. */
  async #flyApart(
    channel: Channel,
    operation: Operation<Input, Output, Cargo>,
    terms: FlightTerms,
  ): Promise<Interruption | undefined> {
    const batch: Batch<Input, Output, Cargo> = { items: [operation], attempts: 1 }
    try {
      const outcome = await this.#send(channel, batch, terms)
      if (outcome.kind === 'interrupted') return outcome
      this.#apart.isSuspect = false
      await this.#land(batch, outcome)
    } catch (error) {
      rejectAll(batch, error)
    }
    return undefined
  }

  /** The next of a lane that may be locked as a whole: one by one, until one gets through. */
  async #probe(): Promise<void> {
    this.#isFlying = true
    await this.#apart.probe(this.#nextBatch(1).items)
    this.#isFlying = false
    this.#board()
  }

  /** Nothing was done. If that is because the shard moves, everybody goes after it. */
  async #follow(batch: Batch<Input, Output, Cargo>, refusal: unknown): Promise<void> {
    const startedAt = batch.items[0]?.startedAt ?? 0
    const leftMs = startedAt + this.site.waitTimeoutMs - performance.now()
    this.#refusal = refusal
    await this.site.follow(refusal, this.#followed, leftMs).finally(() => (this.#refusal = undefined))
    this.#followed += 1
    const successor = this.#findSuccessor()
    if (successor === this) this.#returned.unshift(batch)
    else successor.#takeOver([batch.items, ...this.#empty()].flat())
  }

  #empty(): Operation<Input, Output, Cargo>[][] {
    const returned = this.#returned.splice(0).map(({ items }) => [...items])
    return [...returned, this.#waiting.drain()]
  }

  #takeOver(operations: readonly Operation<Input, Output, Cargo>[]): void {
    for (const operation of operations) if (!operation.isSettled) this.#waiting.push(operation)
    this.#board()
    this.#waiting.watch()
  }

  #lost(batch: Batch<Input, Output, Cargo>, error: unknown, wasRead: boolean): void {
    const isWrite = this.isWrite(batch)
    const isSafe = !isWrite || !wasRead
    if (isSafe && !batch.items.some(({ wasRetried }) => wasRetried)) {
      for (const operation of batch.items) operation.wasRetried = true
      this.#returned.unshift(batch)
    } else rejectAll(batch, this.#error(error, isWrite && wasRead))
  }

  #error(cause: unknown, isWrite: boolean): unknown {
    const { shardId, pool } = this.site
    return statementError(cause, { serverId: pool.serverId, shardId, isWrite })
  }

  #rejectWaiting(error: unknown): void {
    for (const batch of this.#returned.splice(0)) rejectAll(batch, error)
    for (const operation of this.#waiting.drain()) operation.reject(error)
  }

  /** Also those that came back: they wait for a connection again. */
  #expireAll(): void {
    this.#returned = this.#returned.filter(
      ({ items }) => items.filter((each) => !this.#waiting.isOver(each)).length > 0,
    )
    this.#waiting.expire()
  }
}

function rejectAll<Input, Output, Cargo>({ items }: Batch<Input, Output, Cargo>, error: unknown): void {
  for (const operation of items) operation.reject(error)
}

function halvesOf<Input, Output, Cargo>({ items }: Batch<Input, Output, Cargo>): Batch<Input, Output, Cargo>[] {
  const middle = items.length >> 1
  return [items.slice(0, middle), items.slice(middle)].map((half) => ({ items: half, attempts: 0 }))
}
