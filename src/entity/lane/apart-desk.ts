import { Channel, type ChannelSettings, type FlightTerms, type Passenger } from '../../pool/channel.ts'
import { Fifo } from '../../pool/fifo.ts'
import type { ServerPool } from '../../pool/server-pool.ts'

/*
 * Operations that kept others waiting in their joint statement, each now by itself, off the channels that lanes share: on a
 * few connections, one statement on each at a time. Those whose row is free are done at once.
 *
 *   job    fresh ──▶ flying ──▶ ended                    it left the desk
 *                        └──▶ blocked ──▶ flying …       cancelled at the server, because somebody else wanted its place;
 *                                                        first it pauses, if that was a borrower of the pool
 *
 * Who gets the next place: the fresh ones, lane by lane in turns; a blocked one after each fresh one that turned out to be
 * blocked too, and whenever no fresh one is there. A job keeps its place for a slice of time as long as somebody wants it,
 * another job or a borrower of the pool, and otherwise until its time is over. So however many wait for locks, they take
 * turns, and neither the others nor a pool of one connection stand still. It costs them their turn in the lock's queue.
 * A slice is twice as long as the one before, so that what is only slow comes to an end.
 */

/** Something to be done apart. */
export interface ApartJob {
  /** Whose it is: the jobs of different owners take turns. */
  readonly owner: object
  /** `performance.now()` at which it is given up. */
  readonly endsAt: number
  /** Whether nobody waits for it any more. */
  readonly isSettled: boolean
  /** Sends it. Resolves to `blocked` when it was cancelled at the server, so that it was not executed. Never rejects. */
  fly(channel: Channel, terms: FlightTerms): Promise<'ended' | 'blocked'>
  /** Its time is over. It was not executed. */
  giveUp(): void
  /** No connection could be had. */
  strand(error: unknown): void
  /** It has left the desk; called once. `wasBlocked`: it was not executed when it was tried last. */
  left(wasBlocked: boolean): void
}

interface Seat {
  readonly job: ApartJob
  readonly timer: NodeJS.Timeout
  sliceMs: number
  wasTried: boolean
  isFlying: boolean
}

/** The first slice of a job. A short one costs the server cancelled work, a long one makes others wait. */
const SLICE_MS = 100

/** The longest while a fresh job waits, and while a borrower of the pool does. */
const MAX_BEFORE_FRESH_MS = 1_000
const MAX_BEFORE_BORROWER_MS = 500

/** So many times the slice lasts the pause after it, when the pool has no place to spare. */
const PAUSE_FACTOR = 4

/** The jobs of one server. */
export class ApartDesk {
  readonly #pool: ServerPool
  readonly #runners: readonly Runner[]
  /** Those never tried, by their owners; whose turn is next comes first. */
  readonly #fresh = new Map<object, Fifo<Seat>>()
  readonly #blocked = new Fifo<Seat>()
  readonly #paused = new Set<Seat>()
  #owesTurn = false

  constructor(pool: ServerPool, connections: number, settings: ChannelSettings) {
    this.#pool = pool
    this.#runners = Array.from({ length: connections }, () => new Runner(new Channel(pool, settings), this))
  }

  /** Takes a job on. */
  add(job: ApartJob): void {
    const timer = setTimeout(() => this.#checkTime(seat), Math.max(0, job.endsAt - performance.now())).unref()
    const seat: Seat = { job, timer, sliceMs: SLICE_MS, wasTried: false, isFlying: false }
    const own = this.#fresh.get(job.owner) ?? new Fifo<Seat>()
    own.push(seat)
    this.#fresh.set(job.owner, own)
    this.#wake()
  }

  get hasWork(): boolean {
    return this.#fresh.size > 0 || this.#blocked.size > 0
  }

  /** The next to be tried. */
  takeNext(): Seat | undefined {
    for (;;) {
      const seat = this.#pick()
      if (seat === undefined || !seat.job.isSettled) return seat
      this.#leave(seat, seat.wasTried)
    }
  }

  async run(channel: Channel, seat: Seat): Promise<void> {
    const { job, wasTried } = seat
    seat.isFlying = true
    const end = await job.fly(channel, { isDue: (waitedMs) => this.#isDue(seat, waitedMs) })
    seat.isFlying = false
    seat.wasTried = true
    if (end === 'ended' || job.isSettled) return this.#leave(seat, end === 'blocked')
    this.#owesTurn = !wasTried
    if (this.#pool.isWanted) this.#pause(seat)
    else this.#blocked.push(seat)
    seat.sliceMs *= 2
    this.#checkTime(seat)
  }

  /** Nobody gets a connection. When it was only a matter of time, those stay that have some left. */
  strand(error: unknown): void {
    const seats = [
      ...[...this.#fresh.values()].flatMap((own) => own.drain()),
      ...this.#blocked.drain(),
      ...this.#paused,
    ]
    this.#fresh.clear()
    this.#paused.clear()
    for (const seat of seats) {
      seat.job.strand(error)
      if (seat.job.isSettled) this.#leave(seat, seat.wasTried)
      else this.#blocked.push(seat)
    }
    this.#wake()
  }

  #isDue({ job, sliceMs }: Seat, waitedMs: number): boolean | 'ifBlocked' {
    if (job.isSettled || performance.now() >= job.endsAt) return true
    if (this.#fresh.size > 0 && waitedMs >= Math.min(sliceMs, MAX_BEFORE_FRESH_MS)) return 'ifBlocked'
    if (this.#pool.isWanted && waitedMs >= Math.min(sliceMs, MAX_BEFORE_BORROWER_MS)) return 'ifBlocked'
    return this.#blocked.size > 0 && waitedMs >= sliceMs && 'ifBlocked'
  }

  #pause(seat: Seat): void {
    this.#paused.add(seat)
    const pauseMs = PAUSE_FACTOR * Math.min(seat.sliceMs, MAX_BEFORE_BORROWER_MS)
    setTimeout(() => {
      if (!this.#paused.delete(seat)) return
      this.#blocked.push(seat)
      this.#wake()
    }, pauseMs).unref()
  }

  #pick(): Seat | undefined {
    if (this.#owesTurn || this.#fresh.size === 0) {
      this.#owesTurn = false
      const blocked = this.#blocked.shift()
      if (blocked !== undefined) return blocked
    }
    return this.#pickFresh()
  }

  #pickFresh(): Seat | undefined {
    for (const [owner, own] of this.#fresh) {
      this.#fresh.delete(owner)
      const seat = own.shift()
      if (own.size > 0) this.#fresh.set(owner, own)
      if (seat !== undefined) return seat
    }
    return undefined
  }

  /** One that flies is given up when the server has answered to the cancel request. */
  #checkTime(seat: Seat): void {
    const { job, isFlying } = seat
    if (isFlying || job.isSettled || performance.now() < job.endsAt - 1) return
    job.giveUp()
  }

  #leave({ job, timer }: Seat, wasBlocked: boolean): void {
    clearTimeout(timer)
    job.left(wasBlocked)
  }

  #wake(): void {
    if (this.hasWork) this.#runners.find(({ isIdle }) => isIdle)?.start()
  }
}

/** One connection of the desk. */
class Runner implements Passenger {
  readonly waitsForRows = true
  isIdle = true
  readonly #channel: Channel
  readonly #desk: ApartDesk

  constructor(channel: Channel, desk: ApartDesk) {
    this.#channel = channel
    this.#desk = desk
  }

  start(): void {
    this.isIdle = false
    this.#channel.board(this)
  }

  depart(channel: Channel): void {
    const seat = this.#desk.takeNext()
    if (seat === undefined) this.isIdle = true
    else void this.#fly(channel, seat)
  }

  strand(error: unknown): void {
    this.isIdle = true
    this.#desk.strand(error)
  }

  async #fly(channel: Channel, seat: Seat): Promise<void> {
    await this.#desk.run(channel, seat)
    // Boarding for nothing could open a connection that others wait for.
    if (this.#desk.hasWork) this.start()
    else this.isIdle = true
  }
}
