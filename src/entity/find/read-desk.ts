import { isHypervaultError } from '../../errors.ts'
import { Channel, type ChannelSettings, type FlightOutcome, type Passenger } from '../../pool/channel.ts'
import { Fifo } from '../../pool/fifo.ts'
import type { ServerPool } from '../../pool/server-pool.ts'
import type { StatementLog } from '../../pool/statement-log.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { statementError } from '../../shard/statement-error.ts'
import { Operation } from '../operation.ts'

/*
 * Reads that may take long, such as a find without an index, one after the other on each of a few connections. They do
 * not travel on the channels of the lanes, where a get behind one of them would wait for it; and no two of them are in
 * flight on one connection, for the same reason.
 *
 *   read      waiting ──▶ flying ──▶ settled            first in, first out, over all runners of the desk
 *   runner    idle ──▶ boarding ──▶ flying ──▶ idle     one per connection; each takes the next read when it departs
 *
 *   a read comes back           and then
 *   with rows                   it is done
 *   refused                     it fails
 *   lost                        it goes again once, before all others
 *
 * A signal, or `waitTimeoutMs` in the queue, settles a read; what is in flight then goes on at the server, and no longer
 * than `statementTimeoutMs`.
 */

/** How a desk works. */
export interface ReadDeskSettings extends ChannelSettings {
  /** Most reads under way at once, each on a connection of its own. */
  readonly maxReads: number
  /** Longest time of a read in the queue. */
  readonly waitTimeoutMs: number
}

/** A statement and the shard that it reads. */
interface Read {
  readonly shardId: number
  readonly statement: ShardStatement
}

type ReadOperation = Operation<Read, readonly TextRow[], undefined>

/** The reads of one server. */
export class ReadDesk {
  readonly #pool: ServerPool
  readonly #log: StatementLog
  readonly #settings: ReadDeskSettings
  readonly #waiting = new Fifo<ReadOperation>()
  readonly #returned: ReadOperation[] = []
  readonly #runners: readonly Runner[]
  #timer: NodeJS.Timeout | undefined

  constructor(pool: ServerPool, log: StatementLog, settings: ReadDeskSettings) {
    this.#pool = pool
    this.#log = log
    this.#settings = settings
    this.#runners = Array.from({ length: settings.maxReads }, () => this.#makeRunner())
  }

  /**
   * Reads rows.
   *
   * @throws `HV_STATEMENT_FAILED`, `HV_SHARD_MISSING`, `HV_CONNECTION_LOST`, `HV_POOL_TIMEOUT`, `HV_CONNECT_FAILED`,
   *   `HV_CLOSED`, or the reason of the signal
   */
  read(shardId: number, statement: ShardStatement, signal: AbortSignal | undefined): Promise<readonly TextRow[]> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    return new Promise((resolve, reject) => {
      this.#waiting.push(new Operation({ shardId, statement }, signal, resolve, reject))
      this.#wake(shardId)
      this.#watch()
    })
  }

  #makeRunner(): Runner {
    return new Runner(new Channel(this.#pool, this.#settings), {
      hasWork: () => this.#hasWork,
      takeNext: () => this.#takeNext(),
      run: (channel, operation) => this.#run(channel, operation),
      strand: (error) => this.#strand(error),
    })
  }

  /** The same shard leans on the same connection while that is idle, so that a backend need not know every schema. */
  #wake(shardId: number): void {
    const count = this.#runners.length
    for (let step = 0; step < count; step += 1) {
      const runner = this.#runners[(shardId + step) % count]
      if (runner?.isIdle === true) return runner.start()
    }
  }

  get #hasWork(): boolean {
    return this.#waiting.size > 0 || this.#returned.length > 0
  }

  #takeNext(): ReadOperation | undefined {
    const next = this.#returned.shift() ?? this.#waiting.shift()
    return next?.isSettled === true ? this.#takeNext() : next
  }

  async #run(channel: Channel, operation: ReadOperation): Promise<void> {
    const { shardId, statement } = operation.input
    const { serverId } = this.#pool
    const record = this.#log.begin(statement.text, { serverId, shardId })
    const outcome = await channel.run(statement)
    if (outcome.kind === 'rows') record.succeed(outcome.rows.length)
    else record.fail(outcome.error)
    this.#land(operation, outcome)
  }

  #land(operation: ReadOperation, outcome: FlightOutcome): void {
    if (outcome.kind === 'rows') return operation.resolve(outcome.rows)
    if (outcome.kind === 'lost' && !operation.wasRetried) {
      operation.wasRetried = true
      this.#returned.push(operation)
      return
    }
    const { serverId } = this.#pool
    const { shardId } = operation.input
    operation.reject(statementError(outcome.error, { serverId, shardId, isWrite: false }))
  }

  /** A runner got no connection. Who waits is left to the others, as long as there are any. */
  #strand(error: unknown): void {
    if (isHypervaultError(error, 'HV_POOL_TIMEOUT')) this.#expire()
    else if (this.#runners.every(({ isIdle }) => isIdle)) this.#rejectAll(error)
    const next = this.#waiting.peek()
    if (next !== undefined) this.#wake(next.input.shardId)
  }

  #rejectAll(error: unknown): void {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) next.reject(error)
  }

  /** One timer for all that wait: the first in the queue is the first to run out of its time. */
  #watch(): void {
    const oldest = this.#waiting.peek()
    if (this.#timer !== undefined || oldest === undefined) return
    const leftMs = oldest.startedAt + this.#settings.waitTimeoutMs - performance.now()
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, leftMs)).unref()
  }

  #expire(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const now = performance.now()
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!next.isSettled && next.startedAt + this.#settings.waitTimeoutMs > now) break
      this.#waiting.shift()
      if (!next.isSettled) next.reject(this.#pool.timeoutError(Math.round(now - next.startedAt)))
    }
    this.#watch()
  }
}

/** What a runner asks of its desk. */
interface RunnerDesk {
  readonly hasWork: () => boolean
  takeNext(): ReadOperation | undefined
  run(channel: Channel, operation: ReadOperation): Promise<void>
  strand(error: unknown): void
}

/** One connection of the desk, and whether it has something to do. */
class Runner implements Passenger {
  readonly #channel: Channel
  readonly #desk: RunnerDesk
  #isIdle = true

  constructor(channel: Channel, desk: RunnerDesk) {
    this.#channel = channel
    this.#desk = desk
  }

  get isIdle(): boolean {
    return this.#isIdle
  }

  start(): void {
    this.#isIdle = false
    this.#channel.board(this)
  }

  depart(channel: Channel): void {
    const operation = this.#desk.takeNext()
    if (operation === undefined) this.#isIdle = true
    else void this.#fly(channel, operation)
  }

  strand(error: unknown): void {
    this.#isIdle = true
    this.#desk.strand(error)
  }

  async #fly(channel: Channel, operation: ReadOperation): Promise<void> {
    try {
      await this.#desk.run(channel, operation)
    } catch (error) {
      operation.reject(error)
    }
    // Boarding for nothing could open a connection that others wait for.
    if (this.#desk.hasWork()) this.#channel.board(this)
    else this.#isIdle = true
  }
}
