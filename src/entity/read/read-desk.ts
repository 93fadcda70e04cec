import { isHypervaultError, type HypervaultError } from '../../errors.ts'
import { AbortGroup } from '../../pool/abort-group.ts'
import { Channel, type ChannelSettings, type FlightOutcome, type Passenger } from '../../pool/channel.ts'
import type { ServerPool } from '../../pool/server-pool.ts'
import type { StatementLog, StatementPlace } from '../../pool/statement-log.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { manyShardsError, statementError } from '../../shard/statement-error.ts'
import { OperationQueue } from '../lane/operation-queue.ts'
import type { Operation } from '../lane/operation.ts'

/*
 * Reads that may take long, such as a find without an index, on a few connections of their own. They do not travel on the
 * channels of the lanes, where a get behind one of them would wait for it.
 *
 *   read      waiting ──▶ flying ──▶ settled            first in, first out, over all runners of the desk
 *   runner    idle ──▶ boarding ──▶ flying ──▶ idle     one per connection; takes the next read when it departs
 *
 * As long as a runner is idle, no read shares a connection. Beyond that a few follow each other without waiting for the
 * answer, which spares the server's and the network's pauses; but none follows one that the server has been busy with
 * for a while (`isStalled`), because it would wait for that one to end.
 *
 *   a read comes back           and then
 *   with rows                   it is done
 *   refused                     it fails
 *   lost                        it goes again once, before all others
 *   cancelled, its time over    it fails; one behind it that was hit goes again
 *
 * A signal, or `waitTimeoutMs` in the queue, settles a read. What is in flight then goes on at the server, and no longer
 * than `statementTimeoutMs`; but if connections are not shared, a signal ends it there as well, with its connection.
 */

/** Most reads in flight on one connection that is shared. One leaves it idle between two; many wait behind a slow one. */
const MAX_DEPTH = 3

/** How a desk works. */
export interface ReadDeskSettings extends ChannelSettings {
  /** Most connections. */
  readonly maxConnections: number
  /** Longest time of a read in the queue. */
  readonly waitTimeoutMs: number
  /** Whether reads may follow each other on a connection before they are answered. */
  readonly isShared: boolean
}

/** A statement and the shards that it reads. */
interface Read {
  readonly shardIds: readonly number[]
  readonly statement: ShardStatement
  /** Runs before it and in one transaction with it: settings that it makes for the transaction are gone afterwards. */
  readonly preface: ShardStatement | undefined
}

const begin: ShardStatement = Object.freeze({ text: 'begin', values: [], isWrite: false })
const commit: ShardStatement = Object.freeze({ text: 'commit', values: [], isWrite: false })

type ReadOperation = Operation<Read, TextRow[], undefined>

/** The reads of one server. */
export class ReadDesk {
  readonly #pool: ServerPool
  readonly #log: StatementLog
  readonly #settings: ReadDeskSettings
  readonly #waiting: OperationQueue<Read, TextRow[], undefined>
  #returned: ReadOperation[] = []
  readonly #runners: readonly Runner[]

  constructor(pool: ServerPool, log: StatementLog, settings: ReadDeskSettings) {
    this.#pool = pool
    this.#log = log
    this.#settings = settings
    this.#waiting = new OperationQueue({
      waitTimeoutMs: settings.waitTimeoutMs,
      timeoutError: (waitedMs) => pool.timeoutError(waitedMs),
    })
    this.#runners = Array.from({ length: settings.maxConnections }, () => this.#makeRunner())
  }

  /**
   * Reads rows.
   *
   * @throws `HV_STATEMENT_FAILED`, `HV_SHARD_MISSING`, `HV_CONNECTION_LOST`, `HV_POOL_TIMEOUT`, `HV_CONNECT_FAILED`,
   *   `HV_CLOSED`, or the reason of the signal
   */
  read(
    shardId: number,
    statement: ShardStatement,
    signal: AbortSignal | undefined,
    preface?: ShardStatement,
  ): Promise<TextRow[]> {
    return this.readMany([shardId], statement, signal, preface)
  }

  /** Reads rows of several shards by one statement; an error names no shard then. Throws what `read` throws. */
  readMany(
    shardIds: readonly number[],
    statement: ShardStatement,
    signal: AbortSignal | undefined,
    preface?: ShardStatement,
  ): Promise<TextRow[]> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    const rows = this.#waiting.enter({ shardIds, statement, preface }, () => undefined, signal)
    this.#wake(shardIds)
    this.#waiting.watch()
    return rows
  }

  #makeRunner(): Runner {
    return new Runner(new Channel(this.#pool, this.#settings), this.#maxDepth, {
      hasWork: () => this.#hasWork,
      takeNext: () => this.#takeNext(),
      run: (channel, operation) => this.#run(channel, operation),
      strand: (error) => this.#strand(error),
    })
  }

  /**
   * The same shard leans on the same connection while that is idle, so that a backend need not know every schema. When
   * none has room the read is left to the first that has.
   */
  #wake(shardIds: readonly number[]): void {
    const count = this.#runners.length
    const home = homeOf(shardIds)
    let best: Runner | undefined
    for (let step = 0; step < count; step += 1) {
      const runner = this.#runners[(home + step) % count]
      if (runner?.isIdle === true) return runner.start()
      if (runner?.hasRoom === true && runner.load < (best?.load ?? Infinity)) best = runner
    }
    best?.start()
  }

  get #maxDepth(): number {
    return this.#settings.isShared ? MAX_DEPTH : 1
  }

  get #hasWork(): boolean {
    return this.#waiting.size > 0 || this.#returned.length > 0
  }

  #takeNext(): ReadOperation | undefined {
    const next = this.#returned.shift() ?? this.#waiting.shift()
    return next?.isSettled === true ? this.#takeNext() : next
  }

  async #run(channel: Channel, operation: ReadOperation): Promise<void> {
    const { shardIds, statement } = operation.input
    const record = this.#log.begin(statement.text, placeOf(this.#pool.serverId, shardIds))
    const outcome = await this.#send(channel, operation)
    if (outcome.kind === 'rows') record.succeed(outcome.rows.length)
    else record.fail(outcome.error)
    this.#land(operation, outcome)
  }

  async #send(channel: Channel, { signal, input }: ReadOperation): Promise<FlightOutcome> {
    if (this.#settings.isShared || signal === undefined) return runRead(channel, input)
    const aborts = AbortGroup.of(signal)
    const abortable = { reject: () => channel.cancel() }
    aborts.add(abortable)
    try {
      return await runRead(channel, input)
    } finally {
      aborts.delete(abortable)
    }
  }

  #land(operation: ReadOperation, outcome: FlightOutcome): void {
    if (outcome.kind === 'rows') return operation.resolve(outcome.rows)
    const isInnocent = outcome.kind === 'lost' || (outcome.kind === 'interrupted' && !outcome.isCause)
    if (isInnocent && !operation.wasRetried && !operation.isSettled) {
      operation.wasRetried = true
      this.#returned.push(operation)
      return
    }
    operation.reject(readError(outcome.error, this.#pool.serverId, operation.input.shardIds))
  }

  /** A runner got no connection. Who waits is left to the others, as long as there are any. */
  #strand(error: unknown): void {
    if (!isHypervaultError(error, 'HV_POOL_TIMEOUT')) {
      if (this.#runners.every(({ isIdle }) => isIdle)) this.#rejectAll(error)
      return
    }
    this.#returned = this.#returned.filter((operation) => !this.#waiting.isOver(operation))
    this.#waiting.expire()
    const next = this.#returned[0] ?? this.#waiting.peek()
    if (next !== undefined) this.#wake(next.input.shardIds)
  }

  #rejectAll(error: unknown): void {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) next.reject(error)
  }
}

/** Shards that lean on the same connection when many are read together, so that neighbours do not all meet on one. */
const SHARDS_PER_HOME = 64

function homeOf(shardIds: readonly number[]): number {
  const [first = 0] = shardIds
  return shardIds.length === 1 ? first : Math.floor(first / SHARDS_PER_HOME)
}

function placeOf(serverId: string, shardIds: readonly number[]): StatementPlace {
  const [shardId] = shardIds
  return shardIds.length === 1 && shardId !== undefined ? { serverId, shardId } : { serverId, shardIds }
}

function readError(cause: unknown, serverId: string, shardIds: readonly number[]): HypervaultError {
  const [shardId] = shardIds
  if (shardIds.length !== 1 || shardId === undefined) return manyShardsError(cause, serverId, shardIds.length)
  return statementError(cause, { serverId, shardId, isWrite: false })
}

/** With a preface four statements leave together. The first that fails counts; the commit is then a rollback. */
async function runRead(channel: Channel, { statement, preface }: Read): Promise<FlightOutcome> {
  if (preface === undefined) return channel.run(statement)
  const flights = [begin, preface, statement, commit].map((each) => channel.run(each))
  const outcomes = await Promise.all(flights)
  return (outcomes.find(({ kind }) => kind !== 'rows') ?? outcomes[2]) as FlightOutcome
}

/** What a runner asks of its desk. */
interface RunnerDesk {
  readonly hasWork: () => boolean
  takeNext(): ReadOperation | undefined
  run(channel: Channel, operation: ReadOperation): Promise<void>
  strand(error: unknown): void
}

/** One connection of the desk, and how much it has to do. */
class Runner implements Passenger {
  readonly waitsForRows = false
  readonly #channel: Channel
  readonly #maxDepth: number
  readonly #desk: RunnerDesk
  /** Reads in flight, and places in the queue of the channel. */
  #load = 0

  constructor(channel: Channel, maxDepth: number, desk: RunnerDesk) {
    this.#channel = channel
    this.#maxDepth = maxDepth
    this.#desk = desk
  }

  get load(): number {
    return this.#load
  }

  get isIdle(): boolean {
    return this.#load === 0
  }

  get hasRoom(): boolean {
    return this.#load < this.#maxDepth && !this.#channel.isStalled
  }

  start(): void {
    this.#load += 1
    this.#channel.board(this)
  }

  depart(channel: Channel): void {
    const operation = this.#desk.takeNext()
    if (operation === undefined) this.#load -= 1
    else void this.#fly(channel, operation)
  }

  strand(error: unknown): void {
    this.#load -= 1
    this.#desk.strand(error)
  }

  async #fly(channel: Channel, operation: ReadOperation): Promise<void> {
    try {
      await this.#desk.run(channel, operation)
    } catch (error) {
      operation.reject(error)
    }
    this.#load -= 1
    // Boarding for nothing could open a connection that others wait for.
    if (this.#desk.hasWork() && (this.isIdle || this.hasRoom)) this.start()
  }
}
