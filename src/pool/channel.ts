import { cutAndCancel } from './cancel-request.ts'
import { classifyFailure, isLastWord } from './failure.ts'
import type { Lease } from './lease.ts'
import { setPipelined } from './pg-internals.ts'
import { PreparedStatements } from './prepared-statements.ts'
import { sendStatement, type ServerStatement } from './send-statement.ts'
import type { ServerClient } from './server-client.ts'
import type { LeaseHolder, ServerPool } from './server-pool.ts'
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
 * What a lost connection says: a server answers in order. If it ended the session by an error of its own (57P01 and
 * its like), it did so instead of the oldest statement in flight and has never read those behind it; they may be sent
 * again, writes too. If the connection just broke, or a pooler speaks for a server, nothing is known of any of them.
 */

/** How a statement ended. `wasRead` is false when the server has provably never begun it. */
export type FlightOutcome =
  | { readonly kind: 'rows'; readonly rows: TextRow[] }
  | { readonly kind: 'refused'; readonly error: unknown; readonly sqlstate: string }
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
  /** Longest time for one statement; beyond it the connection is cut. */
  readonly statementTimeoutMs: number
  /** How long an unused connection is kept. */
  readonly idleTimeoutMs: number
  /** Most prepared statements on the connection; 0 for none. */
  readonly preparedMax: number
}

interface Flight {
  readonly startedAt: number
  readonly waitsForRows: boolean
}

/**
 * Most statements in flight at once. Too few leave the server waiting for the network; too many wait behind one that
 * waits for a lock.
 */
const MAX_FLIGHTS = 16

/** Age of the oldest flight from which a channel counts as stalled, behind a lock for instance. */
const STALL_MS = 50

/** What one open connection consists of. */
class OpenConnection {
  readonly lease: Lease
  readonly statements: PreparedStatements | undefined
  isClosing = false
  /** Set once a statement was sent. */
  wasUsed = false
  /** Set when the server ended the session by an error of its own. */
  wasEnded = false
  readonly #onEnd: () => void

  constructor(lease: Lease, preparedMax: number, onEnd: (connection: OpenConnection) => void) {
    this.lease = lease
    this.statements = preparedMax > 0 ? PreparedStatements.of(lease.client, preparedMax) : undefined
    this.#onEnd = () => onEnd(this)
    lease.client.once('end', this.#onEnd)
    setPipelined(lease.client, true)
  }

  get client(): ServerClient {
    return this.lease.client as Lease['client'] & ServerClient
  }

  /** Leaves the connection as it was lent. Only while nothing is in flight. */
  detach(): void {
    this.lease.client.removeListener('end', this.#onEnd)
    setPipelined(this.lease.client, false)
  }
}

/** One pipelined connection of a server, opened when somebody boards. */
export class Channel implements LeaseHolder {
  readonly #pool: ServerPool
  readonly #settings: ChannelSettings
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
  #wasUsed = false

  constructor(pool: ServerPool, settings: ChannelSettings) {
    this.#pool = pool
    this.#settings = settings
  }

  /** Passengers that wait and statements in flight. */
  get load(): number {
    return this.#queue.length + this.#flights.size
  }

  get isIdle(): boolean {
    return this.load === 0 && this.#connection !== undefined
  }

  /** True when the server has owed an answer for long. */
  get isStalled(): boolean {
    const [oldest] = this.#flights
    return oldest !== undefined && performance.now() - oldest.startedAt > STALL_MS
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
  run(statement: ServerStatement): Promise<FlightOutcome> {
    const connection = this.#connection
    if (connection === undefined) throw new Error('bug: a statement on a closed channel')
    const flight = this.#takeOff(connection)
    return new Promise((resolve) => {
      sendStatement(connection, statement, (error, rows) => {
        this.#endFlight(flight)
        this.#awaitTurn()
        resolve(error instanceof Error ? this.#judge(connection, error) : { kind: 'rows', rows })
      })
    })
  }

  /**
   * Cuts the connection with what is in flight, which is lost, and asks the server to end it. Only for who knows that
   * nobody else has anything in flight here.
   */
  cancel(): void {
    if (this.#flights.size > 0) this.#letGo((connection) => cutAndCancel(connection.lease))
  }

  giveUp(): void {
    this.#putBack((lease) => lease.release())
  }

  #takeOff(connection: OpenConnection): Flight {
    connection.wasUsed = true
    const flight = { startedAt: performance.now(), waitsForRows: this.#departing?.waitsForRows === true }
    this.#flights.add(flight)
    if (flight.waitsForRows) this.#rowWaits += 1
    this.#wasUsed = true
    this.#watchdog ??= setTimeout(() => this.#checkFlights(), this.#settings.statementTimeoutMs).unref()
    return flight
  }

  #endFlight(flight: Flight): void {
    if (this.#flights.delete(flight) && flight.waitsForRows) this.#rowWaits -= 1
  }

  #judge(connection: OpenConnection, error: unknown): FlightOutcome {
    const failure = classifyFailure(error)
    if (failure.kind === 'refused') return { kind: 'refused', error, sqlstate: failure.sqlstate }
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
    return this.#connection?.isClosing === false && this.#flights.size < MAX_FLIGHTS
  }

  #shouldClose(): boolean {
    const connection = this.#connection
    if (connection === undefined) return false
    const { client, wasUsed } = connection
    const isWanted = this.#pool.isContended && wasUsed
    connection.isClosing ||= client.isLost || performance.now() >= client.expiresAt || isWanted
    return connection.isClosing && this.#flights.size === 0
  }

  #open(): void {
    if (this.#isOpening || this.#queue.length === 0) return
    this.#isOpening = true
    this.#pool.acquire().then(
      (lease) => this.#opened(lease),
      (error: unknown) => this.#failed(error),
    )
  }

  #opened(lease: Lease): void {
    this.#isOpening = false
    this.#connection = new OpenConnection(lease, this.#settings.preparedMax, (connection) => this.#ended(connection))
    this.#idleTimer = setInterval(() => this.#checkUse(), this.#settings.idleTimeoutMs)
    this.#idleTimer.unref()
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
    clearInterval(this.#idleTimer)
    clearTimeout(this.#watchdog)
    this.#watchdog = undefined
    how(connection)
  }

  #checkUse(): void {
    if (!this.#wasUsed && this.isIdle) this.#putBack((lease) => lease.close())
    this.#wasUsed = false
  }

  /** The timer is set once for many flights: it looks at the oldest, and waits on for what that one has left. */
  #checkFlights(): void {
    this.#watchdog = undefined
    const [oldest] = this.#flights
    if (oldest === undefined) return
    const leftMs = oldest.startedAt + this.#settings.statementTimeoutMs - performance.now()
    if (leftMs > 0) this.#watchdog = setTimeout(() => this.#checkFlights(), leftMs).unref()
    else this.#connection?.client.cut()
  }
}
