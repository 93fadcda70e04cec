import { decideFlight } from './decide-flight.ts'
import { classifyFailure, isLastWord } from './failure.ts'
import type { Lease, LeaseHolder } from './lease.ts'
import { mayWaitForLock } from './lock-wait.ts'
import { OpenConnection } from './open-connection.ts'
import { boundByQueryTimeout } from './pg-internals.ts'
import { sendStatement, type ServerStatement } from './send-statement.ts'
import type { ServerClient } from './server-client.ts'
import type { ServerPool } from './server-pool.ts'
import type { TextRow } from './text-rows.ts'

/*
 * One connection of a server that many passengers share. Statements are sent without waiting for the one before
 * (pipelined); each is a transaction of its own, and an error stays with its statement.
 *
 * A passenger boards (`board`), and when there is room it is told to depart: only then it composes its statement, so
 * that it takes along what has gathered meanwhile. That is at the end of the turn of the event loop, when the answers
 * that have arrived are with their callers and these have asked again: what is asked for in one turn leaves in one
 * write. The queue of passengers is first in first out, and whoever has departed boards again behind the others: nobody
 * can fill the channel.
 *
 *   closed ──▶ opening ──▶ open ──▶ closing ──▶ closed
 *                └▶ closed          everybody in the queue is stranded with the error of the connection
 *
 * open     up to MAX_FLIGHTS statements in flight. The connection is kept while nothing is in flight, and given up
 *          when somebody waits for a place in the pool (`giveUp`) or nobody used it for a while.
 * closing  nothing departs any more: the connection is lost, too old, or wanted by others while it never rests. After
 *          the last flight it goes back, and opens again if somebody has boarded. Those who waited depart first: two
 *          channels that gave back for each other what they had just got would never send anything.
 *
 * A server answers in order, so a statement that waits for a lock holds up those behind it. Nothing more is sent behind one
 * that the server has been busy with for a while, and when it is due (see `FlightTerms`, and its time-out) the server is
 * asked to cancel it. A cancel names a session and no statement: it may come late and hit the next one. Whatever it fails
 * has not been executed, and comes back as `interrupted`; but a commit that waits for a standby it lets pass unreplicated,
 * and that is `lost`. The connection is not given back before the request has ended, and not at all when the server has
 * not taken the request: it may do so any time. Only when it does not answer to that either is the connection cut.
 *
 * What a lost connection says: a server answers in order. If it ended the session by an error of its own (57P01 and
 * its like), it did so instead of the oldest statement in flight and has never read those behind it; they may be sent
 * again, writes too. If the connection just broke, or a pooler speaks for a server, nothing is known of any of them.
 */

/**
 * How a statement ended. `interrupted`: cancelled by this channel, not executed; `isCause` tells whether it was the one that
 * was due. `wasRead` is false when the server has provably never begun it.
 */
export type FlightOutcome =
  | { readonly kind: 'rows'; readonly rows: TextRow[] }
  | { readonly kind: 'refused'; readonly error: unknown; readonly sqlstate: string }
  | { readonly kind: 'interrupted'; readonly error: unknown; readonly isCause: boolean }
  | { readonly kind: 'lost'; readonly error: unknown; readonly wasRead: boolean }

/** Who wants to send a statement. */
export interface Passenger {
  /** Whether its statements wait for whoever has locked the rows they change. They hold up what was sent behind them. */
  readonly waitsForRows: boolean
  /** There is room: send one statement by `channel.run()` now, or nothing. */
  depart(channel: Channel): void
  /** No connection could be had. */
  strand(error: unknown): void
}

/** Settings of a channel. */
export interface ChannelSettings {
  /** Longest time for one statement; beyond it the server is asked to cancel it, and then the connection is cut. */
  readonly statementTimeoutMs: number
  /** How long an unused connection is kept. */
  readonly idleTimeoutMs: number
  /** Most prepared statements on the connection; 0 for none. */
  readonly preparedMax: number
}

/** How long a statement may keep a channel. */
export interface FlightTerms {
  /**
   * Whether it has to go, after the server has been busy with it for so long; or only if it waits for a lock, so that no work
   * is thrown away because it is slow. Asked every {@link CHECK_MS} at least.
   *
   * @param isWanted whether its connection is wanted: by others on the channel, or in the pool
   */
  isDue(waitedMs: number, isWanted: boolean): boolean | 'ifBlocked'
}

/** Terms of a statement that may take the whole time for one. */
const untilTimeout: FlightTerms = Object.freeze({ isDue: () => false })

interface Flight {
  readonly startedAt: number
  readonly waitsForRows: boolean
  readonly terms: FlightTerms
  /** When the server was asked to cancel it, first and last. */
  firstAskedAt: number | undefined
  lastAskedAt: number | undefined
  /** Whether it was seen to wait for a lock, and when to look for that next. */
  isBlocked: boolean
  nextLookAt: number
}

/**
 * Most statements in flight at once. Too few leave the server waiting for the network; too many wait behind one that
 * waits for a lock.
 */
const MAX_FLIGHTS = 16

/** Age of the oldest flight from which a channel counts as stalled, behind a lock for instance. */
const STALL_MS = 50

/** How often the oldest flight is looked at. */
const CHECK_MS = 100

/** SQLSTATE query_canceled. */
const CANCELED = '57014'

/** One pipelined connection of a server, opened when somebody boards. */
export class Channel implements LeaseHolder {
  readonly #pool: ServerPool
  readonly #settings: ChannelSettings
  readonly #checkMs: number
  readonly #queue: Passenger[] = []
  readonly #flights = new Set<Flight>()
  /** Passengers and flights that wait for rows. */
  #rowWaits = 0
  #departing: Passenger | undefined
  #connection: OpenConnection | undefined
  #isOpening = false
  #isTurnAwaited = false
  #watchdog: NodeJS.Timeout | undefined
  #idleTimer: NodeJS.Timeout | undefined
  /** Since when the oldest flight is the oldest, so that the server is busy with it. */
  #headSince = 0
  /** When the last flight ended, while there is none. */
  #restsSince = 0

  constructor(pool: ServerPool, settings: ChannelSettings) {
    this.#pool = pool
    const statementTimeoutMs = boundByQueryTimeout(pool.clientConfig, settings.statementTimeoutMs)
    this.#settings = { ...settings, statementTimeoutMs }
    this.#checkMs = Math.min(CHECK_MS, statementTimeoutMs)
  }

  /** Passengers that wait and statements in flight. */
  get load(): number {
    return this.#queue.length + this.#flights.size
  }

  get isIdle(): boolean {
    return this.load === 0 && this.#connection?.isAsking === false
  }

  /** True when the server has been busy with one statement for long. */
  get isStalled(): boolean {
    return this.#flights.size > 0 && performance.now() - this.#headSince > STALL_MS
  }

  /** True when what is sent now may be held up by a statement that waits for a row. */
  get mayBeHeldUp(): boolean {
    return this.#rowWaits > 0
  }

  /** Queues a passenger; it departs at the end of this turn of the event loop, if there is room then. */
  board(passenger: Passenger): void {
    this.#queue.push(passenger)
    if (passenger.waitsForRows) this.#rowWaits += 1
    this.#awaitTurn()
  }

  /** Sends a statement. Only from within `depart()`. Never rejects. */
  run(statement: ServerStatement, terms: FlightTerms = untilTimeout): Promise<FlightOutcome> {
    const connection = this.#connection
    if (connection === undefined) throw new Error('bug: a statement on a closed channel')
    const flight = this.#takeOff(connection, terms)
    // Bound: the watchdog of the channel; see #checkFlights().
    return new Promise((resolve) => {
      sendStatement(connection, statement, (error, rows) => {
        this.#endFlight(flight)
        this.#awaitTurn()
        const unreplicated = connection.commitWait.take()
        const failure = error instanceof Error ? error : unreplicated
        resolve(failure === undefined ? { kind: 'rows', rows } : this.#judge(connection, flight, failure))
      })
    })
  }

  /**
   * Cuts the connection with what is in flight, which is lost, and asks the server to end it. Only for who knows that
   * nobody else has anything in flight here.
   */
  cancel(): void {
    if (this.#flights.size > 0) this.#letGo((connection) => connection.lease.destroy())
  }

  giveUp(): void {
    const mayBeHit = this.#connection?.mayBeHit === true
    this.#putBack((lease) => (mayBeHit ? lease.close() : lease.release()))
  }

  #takeOff(connection: OpenConnection, terms: FlightTerms): Flight {
    connection.wasUsed = true
    const startedAt = performance.now()
    const waitsForRows = this.#departing?.waitsForRows === true
    const unasked = { firstAskedAt: undefined, lastAskedAt: undefined, isBlocked: false, nextLookAt: 0 }
    const flight: Flight = { startedAt, waitsForRows, terms, ...unasked }
    if (this.#flights.size === 0) this.#headSince = startedAt
    this.#flights.add(flight)
    if (flight.waitsForRows) this.#rowWaits += 1
    this.#watch(this.#checkMs)
    return flight
  }

  #endFlight(flight: Flight): void {
    if (!this.#flights.delete(flight)) return
    if (flight.waitsForRows) this.#rowWaits -= 1
    this.#headSince = performance.now()
    if (this.#flights.size === 0) this.#restsSince = this.#headSince
  }

  #judge(connection: OpenConnection, flight: Flight, error: unknown): FlightOutcome {
    const failure = classifyFailure(error)
    if (failure.kind === 'refused') {
      const { sqlstate } = failure
      const isOurs = sqlstate === CANCELED && connection.mayHaveCancelled(flight.startedAt)
      if (isOurs) return { kind: 'interrupted', error, isCause: flight.firstAskedAt !== undefined }
      return { kind: 'refused', error, sqlstate }
    }
    const wasRead = !connection.wasEnded
    connection.wasEnded ||= isLastWord(error)
    connection.isClosing = true
    return { kind: 'lost', error, wasRead }
  }

  /** On an idle channel the turn ends with the callbacks that run now, otherwise when all sockets have been read. */
  #awaitTurn(): void {
    if (this.#isTurnAwaited) return
    this.#isTurnAwaited = true
    const endTurn = (): void => {
      this.#isTurnAwaited = false
      this.#pump()
    }
    if (this.#flights.size === 0) process.nextTick(endTurn)
    else setImmediate(endTurn)
  }

  #pump(): void {
    if (this.#shouldClose()) this.giveUp()
    if (this.#connection === undefined) return this.#open()
    this.#letDepart(this.#connection.client.connection)
    // Whoever departed may have had nothing to send.
    if (this.isIdle && this.#pool.isContended) this.giveUp()
  }

  /** What departs together leaves in one write. */
  #letDepart({ stream }: ServerClient['connection']): void {
    stream.cork()
    while (this.#hasRoom && this.#queue.length > 0) this.#departNext()
    stream.uncork()
  }

  #departNext(): void {
    const passenger = this.#queue.shift()
    this.#departing = passenger
    passenger?.depart(this)
    this.#departing = undefined
    if (passenger?.waitsForRows === true) this.#rowWaits -= 1
  }

  get #hasRoom(): boolean {
    return this.#connection?.isClosing === false && this.#flights.size < MAX_FLIGHTS && !this.isStalled
  }

  #shouldClose(): boolean {
    const connection = this.#connection
    if (connection === undefined) return false
    const { client, wasUsed } = connection
    const isWanted = this.#pool.isContended && wasUsed
    connection.isClosing ||= client.isLost || connection.mayBeHit || performance.now() >= client.expiresAt || isWanted
    return connection.isClosing && this.#flights.size === 0 && (client.isLost || !connection.isAsking)
  }

  #open(): void {
    if (this.#isOpening || this.#queue.length === 0) return
    this.#isOpening = true
    // Bound: `blockTimeoutMs` of the pool. Those who wait may leave by their signals.
    this.#pool.acquire().then(
      (lease) => this.#opened(lease),
      (error: unknown) => this.#failed(error),
    )
  }

  #opened(lease: Lease): void {
    this.#isOpening = false
    this.#connection = new OpenConnection(lease.vouch(), this.#settings.preparedMax, (connection) =>
      this.#ended(connection),
    )
    this.#restsSince = performance.now()
    this.#watchUse(this.#settings.idleTimeoutMs)
    this.#pool.keep(lease, this)
    this.#pump()
  }

  /** The backend of this connection is gone. What was in flight has failed, or is about to. */
  #ended(connection: OpenConnection): void {
    connection.isClosing = true
    if (this.#connection === connection) this.#pump()
  }

  #failed(error: unknown): void {
    this.#isOpening = false
    for (const passenger of this.#queue.splice(0)) {
      if (passenger.waitsForRows) this.#rowWaits -= 1
      passenger.strand(error)
    }
  }

  #putBack(how: (lease: Lease) => void): void {
    this.#letGo((connection) => {
      connection.detach()
      how(connection.lease)
    })
  }

  #letGo(how: (connection: OpenConnection) => void): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#connection = undefined
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#watchdog)
    this.#watchdog = undefined
    how(connection)
  }

  #watchUse(leftMs: number): void {
    this.#idleTimer = setTimeout(() => this.#checkUse(), leftMs).unref()
  }

  #checkUse(): void {
    const leftMs = this.#restsSince + this.#settings.idleTimeoutMs - performance.now()
    if (!this.isIdle) this.#watchUse(this.#settings.idleTimeoutMs)
    else if (leftMs > 0) this.#watchUse(Math.ceil(leftMs))
    else this.#putBack((lease) => lease.close())
  }

  /** One timer for all flights; it goes on as long as there are any. */
  #watch(afterMs: number): void {
    // What has arrived meanwhile is read before the server is blamed: the program itself may have been busy.
    this.#watchdog ??= setTimeout(() => setImmediate(() => this.#checkFlights()), afterMs).unref()
  }

  #checkFlights(): void {
    clearTimeout(this.#watchdog)
    this.#watchdog = undefined
    const [oldest] = this.#flights
    const connection = this.#connection
    if (oldest === undefined || connection === undefined) return
    const now = performance.now()
    const isDue = this.#isDue(connection, oldest, now)
    const reading = { ...oldest, now, isDue, isAsking: connection.isAsking }
    const decision = decideFlight(reading, { timeoutMs: this.#settings.statementTimeoutMs, checkMs: this.#checkMs })
    if (decision.action === 'cut') return connection.client.cut()
    if (decision.action === 'cancel') this.#cancelOldest(connection, oldest, now)
    this.#watch(decision.action === 'wait' ? decision.leftMs : this.#checkMs)
  }

  #isDue({ client }: OpenConnection, flight: Flight, now: number): boolean {
    const waitedMs = now - this.#headSince
    const isDue = flight.terms.isDue(waitedMs, this.load > 1 || this.#pool.isWanted)
    if (isDue !== 'ifBlocked' || flight.isBlocked) return isDue !== false
    if (now < flight.nextLookAt) return false
    flight.nextLookAt = Infinity
    void mayWaitForLock(this.#pool, client).then((isBlocked) => {
      flight.isBlocked = isBlocked
      flight.nextLookAt = performance.now() + waitedMs
      if (isBlocked && this.#flights.has(flight)) this.#checkFlights()
    })
    return false
  }

  #cancelOldest(connection: OpenConnection, oldest: Flight, now: number): void {
    oldest.firstAskedAt ??= now
    oldest.lastAskedAt = now
    void connection.askToCancel().then(() => this.#awaitTurn())
  }
}
