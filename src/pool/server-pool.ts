import { Pool, type ClientBase, type ClientConfig, type PoolClient } from 'pg'
import { assertSignal } from '../arguments/arguments.ts'
import { HypervaultError, isHypervaultError } from '../errors.ts'
import { secretsOf } from '../topology/hidden-secrets.ts'
import { requestCancel } from './cancel-request.ts'
import { deferred } from './deferred.ts'
import { connectFailed } from './failure.ts'
import { Lease, type LeaseHolder, type ReturnAs } from './lease.ts'
import type { Logger } from './logger.ts'
import { isConnected, isReady } from './pg-internals.ts'
import { isReusable, ServerClient } from './server-client.ts'
import { prepareSession, refusesParameters } from './session.ts'
import type { PoolStats } from './stats.ts'
import { Sweep } from './sweep.ts'
import { WaitQueue, type Waiter } from './wait-queue.ts'

/*
 * The connections to one server. `pg.Pool` opens, keeps and closes them (idle ones last in first out); this class says
 * who gets one and when, because the queue of `pg.Pool` cannot: its time-out leaves a connection that arrives late lent
 * to nobody, and it lends dirty sessions.
 *
 * Who is authoritative: `#queue` for who waits (first in first out), `#attempts` for the connections under way,
 * `#leases` for what is lent, `#ending` for sessions that were cut and that the server has not let go of yet. All three together
 * never exceed `max`, so `pg.Pool` itself never queues, and the server never has more backends than that.
 *
 *   waiter   waiting ──▶ served | failed | timed out | aborted | closed      settles once, and leaves the queue then
 *   attempt  for a waiter ──▶ handed to the first in the queue               not always the one it was begun for
 *                        └──▶ failed: its waiter gets the error, the place is free again
 *            for nobody (its waiter left) ──▶ handed on, or kept idle        a late connection is never lost
 *   lease    held ──▶ reusable | closed | cut                                by the state of the session, see isReusable
 *            swept before it is lent again, unless it is vouched for         idle meanwhile; who gets it waits, see Sweep
 *            kept by a holder while idle; taken from it when somebody waits  see keep
 *
 * An attempt that hands its connection to another waiter takes over that waiter's own attempt in exchange, so each
 * attempt that fails has at most one waiter to answer to. An attempt that hangs is cut after `connectTimeoutMs`; its
 * waiter has had the time-out by then.
 */

/** Settings of one server's pool; all times in milliseconds. */
export interface ServerPoolOptions {
  serverId: string
  clientConfig: ClientConfig
  /** Most connections at once. */
  max: number
  /** Longest wait of a caller. */
  blockTimeoutMs: number
  /** Longest time for opening a connection; default 10,000. Too short fails on a busy server, too long holds a place. */
  connectTimeoutMs?: number
  /** How long an idle connection is kept; default 60,000. */
  idleTimeoutMs?: number
  /** Age at which a connection is replaced when it comes back, less up to a fifth by chance; default 30 minutes. */
  lifetimeMs?: number
  logger?: Logger | undefined
  /** Called with each new connection before anybody gets it; what it rejects with, whoever waits gets. */
  onOpen?: ((serverId: string, client: ClientBase) => Promise<void>) | undefined
}

/** One wait for a connection. */
export interface AcquireOptions {
  /** Ends the wait with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Longest wait; default the pool's `blockTimeoutMs`. */
  timeoutMs?: number | undefined
}

interface Attempt {
  waiter: Waiter<Lease> | undefined
}

const LIFETIME_JITTER = 0.2

/** The pool of one server. Knows nothing of shards. */
export class ServerPool implements AsyncDisposable {
  readonly serverId: string
  /** Most connections at once. */
  readonly max: number
  readonly #options: Required<Omit<ServerPoolOptions, 'logger' | 'onOpen'>> &
    Pick<ServerPoolOptions, 'logger' | 'onOpen'>
  readonly #pool: Pool
  readonly #clients = new Set<ServerClient>()
  readonly #ending = new Set<Promise<void>>()
  readonly #leases = new Set<Lease>()
  readonly #holders = new Map<Lease, LeaseHolder>()
  readonly #attempts = new Map<Waiter<Lease>, Attempt>()
  readonly #queue = new WaitQueue<Lease>((waiter) => this.#forget(waiter))
  readonly #counts = { waits: 0, timeouts: 0, created: 0, destroyed: 0, attempts: 0 }
  // Bound: close(), which cuts what is lent after a while, and waits 3 s for the server to let go.
  readonly #closed = deferred<void>()
  #isClosed = false
  /** False once the server, or a pooler before it, has refused a start-up message with our settings. */
  #sendsSettings = true

  constructor(options: ServerPoolOptions) {
    const defaults = { connectTimeoutMs: 10_000, idleTimeoutMs: 60_000, lifetimeMs: 1_800_000, logger: undefined }
    this.#options = Object.freeze({ ...defaults, ...options })
    this.serverId = options.serverId
    this.max = options.max
    this.#pool = this.#makePool()
  }

  /** How its connections are opened, as it was given. */
  get clientConfig(): ClientConfig {
    return this.#options.clientConfig
  }

  /**
   * Lends a connection.
   *
   * @throws `HV_POOL_TIMEOUT`, `HV_CONNECT_FAILED`, `HV_CLOSED`, or the reason of the signal; nothing was executed then
   */
  async acquire({ signal, timeoutMs }: AcquireOptions = {}): Promise<Lease> {
    assertSignal(signal)
    if (this.#isClosed) throw this.closedError()
    signal?.throwIfAborted()
    const waiter = this.#queue.push({
      timeoutMs: timeoutMs ?? this.#options.blockTimeoutMs,
      signal,
      onTimeout: (waitedMs) => this.timeoutError(waitedMs),
    })
    this.#serve()
    if (!this.#attempts.has(waiter)) this.#counts.waits += 1
    return waiter.promise
  }

  /**
   * Lets the holder keep its connection while it has nothing to do, so that the same session serves the same work
   * again. While idle it counts as idle, and the holder is asked to give it up when somebody waits for a place.
   */
  keep(lease: Lease, holder: LeaseHolder): void {
    this.#holders.set(lease, holder)
    if (this.#isClosed) this.#reclaim()
  }

  /**
   * True while somebody waits and every place is taken, and once the pool is closed: who holds a connection for long
   * should give it back.
   */
  get isContended(): boolean {
    return this.#isClosed || this.isWanted
  }

  /** True while somebody waits and every place is taken. */
  get isWanted(): boolean {
    return this.#queue.size > this.#counts.attempts && this.#isFull
  }

  /** True when a caller would get a connection without waiting for another caller. */
  get canServe(): boolean {
    if (this.#isClosed || this.#queue.size > 0) return false
    return !this.#isFull || [...this.#holders.values()].some(({ isIdle }) => isIdle)
  }

  /** The error of a caller that has waited too long for this server. */
  timeoutError(waitedMs: number): HypervaultError<'HV_POOL_TIMEOUT'> {
    this.#counts.timeouts += 1
    const { serverId } = this
    const { total, idle, lent, connecting, waiting } = this.stats()
    const figures = `${lent} in use, ${idle} idle, ${connecting} connecting, ${waiting} waiting`
    return new HypervaultError(
      'HV_POOL_TIMEOUT',
      `no connection to server ${serverId} became free within ${waitedMs} ms (${figures})`,
      { serverId, waitedMs, total, idle, lent, connecting, waiting },
    )
  }

  /** The error of every call after the pool was closed. */
  closedError(): HypervaultError<'HV_CLOSED'> {
    const { serverId } = this
    return new HypervaultError('HV_CLOSED', `the pool of server ${serverId} is closed`, { serverId })
  }

  stats(): PoolStats {
    const { attempts, ...counts } = this.#counts
    const kept = [...this.#holders.values()].filter(({ isIdle }) => isIdle).length
    const idle = this.#pool.idleCount + kept
    const lent = this.#leases.size - kept
    const places = { total: idle + lent, idle, lent, connecting: attempts, ending: this.#ending.size }
    return { ...places, waiting: this.#queue.size, ...counts }
  }

  /** Closes idle connections now and lent ones when they come back. Waiting and later callers get `HV_CLOSED`. */
  retire(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#queue.rejectAll(this.closedError())
    while (this.#reclaim());
    void this.#pool.end()
    this.#checkClosed()
  }

  /** Resolves once the pool is retired and its last connection is closed. */
  whenClosed(): Promise<void> {
    return this.#closed.promise
  }

  /**
   * Retires the pool, waits up to `timeoutMs` for what is lent out, and then cuts what is left, and waits until the server has
   * let go of that, for 3 s at most. Safe twice.
   */
  async close({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    this.retire()
    const timer = setTimeout(() => this.#cutAll(), timeoutMs)
    try {
      await this.whenClosed()
    } finally {
      clearTimeout(timer)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ timeoutMs: this.#options.blockTimeoutMs })
  }

  #makePool(): Pool {
    const { clientConfig, max, idleTimeoutMs, connectTimeoutMs } = this.#options
    const pool = new Pool({
      connectionTimeoutMillis: connectTimeoutMs,
      ...clientConfig,
      ...secretsOf(clientConfig),
      max,
      idleTimeoutMillis: idleTimeoutMs,
      Client: this.#clientClass(),
      // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg waits for it, its types do not say so
      onConnect: (client) => this.#prepare(client as ServerClient),
    })
    pool.on('error', (error) => this.#warn('idle connection lost', error))
    return pool
  }

  /** `pg.Pool` makes the clients; each registers here, so that closing reaches also those that are still connecting. */
  #clientClass(): typeof ServerClient {
    const register = (client: ServerClient): void => this.#register(client)
    return class extends ServerClient {
      constructor(config?: ClientConfig) {
        super(config)
        register(this)
      }
    }
  }

  #register(client: ServerClient): void {
    this.#clients.add(client)
    client.sendsSettings = this.#sendsSettings
    client.once('connect', () => {
      this.#counts.created += 1
      client.once('end', () => (this.#counts.destroyed += 1))
    })
    let wasCut = false
    client.onEnding = (whenGone) => {
      wasCut = true
      this.#trackEnding(whenGone)
    }
    client.once('end', () => {
      this.#clients.delete(client)
      // Its connection was lost: the backend may be at work all the same, and has not noticed.
      if (!wasCut && isConnected(client) && !isReady(client)) this.#trackEnding(requestCancel(client))
      this.#checkClosed()
    })
  }

  #trackEnding(whenGone: Promise<unknown>): void {
    const ending = whenGone.then(() => {
      this.#ending.delete(ending)
      this.#checkClosed()
      if (!this.#isClosed) this.#serve()
    })
    this.#ending.add(ending)
  }

  #prepare(client: ServerClient): Promise<void> {
    const { lifetimeMs, connectTimeoutMs } = this.#options
    client.expiresAt = performance.now() + lifetimeMs * (1 - LIFETIME_JITTER * Math.random())
    return prepareSession(client, {
      timeoutMs: connectTimeoutMs,
      giveUp: () => client.cut(),
      more: () => this.#options.onOpen?.(this.serverId, client),
    })
  }

  /** Begins an attempt for each waiter without one, as long as there is a place or a holder makes one. */
  #serve(): void {
    for (const waiter of this.#queue) {
      if (this.#attempts.has(waiter)) continue
      if (!this.#isFull) void this.#run(waiter)
      // What is reclaimed is taken back at once, and that serves this waiter.
      else if (!this.#reclaim()) return
    }
  }

  get #isFull(): boolean {
    return this.#leases.size + this.#counts.attempts + this.#ending.size >= this.#options.max
  }

  /** Asks an idle holder to give its connection up; false if every holder is busy. */
  #reclaim(): boolean {
    for (const holder of this.#holders.values()) {
      if (!holder.isIdle) continue
      holder.giveUp()
      return true
    }
    return false
  }

  async #run(waiter: Waiter<Lease>): Promise<void> {
    const attempt: Attempt = { waiter }
    this.#attempts.set(waiter, attempt)
    this.#counts.attempts += 1
    try {
      const client = await this.#checkOut()
      this.#counts.attempts -= 1
      this.#hand(client, attempt)
    } catch (error) {
      this.#counts.attempts -= 1
      attempt.waiter?.reject(isHypervaultError(error) ? error : connectFailed(this.serverId, error))
    }
    if (!this.#isClosed) this.#serve()
  }

  async #checkOut(): Promise<PoolClient> {
    for (;;) {
      const client = (await this.#tryConnect()) as (PoolClient & ServerClient) | undefined
      if (client === undefined) continue
      await client.sweep?.end
      if (isReusable(client, performance.now())) return client
      client.release(true)
    }
  }

  /** Undefined when it is to be tried again, without what the server refused. */
  async #tryConnect(): Promise<PoolClient | undefined> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      if (!this.#sendsSettings || !refusesParameters(error)) throw error
      this.#sendsSettings = false
      return undefined
    }
  }

  #hand(client: PoolClient, attempt: Attempt): void {
    const first = this.#queue.first()
    if (first === undefined) return client.release()
    this.#exchange(attempt, first)
    const lease = new Lease(this.serverId, client, (returned, as) => this.#takeBack(returned, as))
    this.#leases.add(lease)
    first.resolve(lease)
  }

  /** The attempt serves `first`; whom it was begun for gets the attempt of `first` instead. */
  #exchange(attempt: Attempt, first: Waiter<Lease>): void {
    const own = attempt.waiter
    if (own === first) return
    const other = this.#attempts.get(first)
    this.#attempts.delete(first)
    if (own !== undefined) this.#attempts.delete(own)
    if (other === undefined) return
    other.waiter = own
    if (own !== undefined) this.#attempts.set(own, other)
  }

  /** A waiter has left the queue: its attempt goes on for nobody. */
  #forget(waiter: Waiter<Lease>): void {
    const attempt = this.#attempts.get(waiter)
    if (attempt !== undefined) attempt.waiter = undefined
    this.#attempts.delete(waiter)
  }

  #takeBack(lease: Lease, as: ReturnAs): void {
    this.#leases.delete(lease)
    this.#holders.delete(lease)
    const client = clientOf(lease)
    const isKept = as === 'reusable' && isReusable(client, performance.now())
    if (isKept && !lease.isVouchedFor) Sweep.send(client)
    client.sweep?.bound(this.#options.connectTimeoutMs)
    // A busy session does not end by a polite goodbye: it would be read after the statement in flight.
    if (as === 'cut' || !(isReady(client) || client.sweep !== undefined)) client.cut()
    client.release(!isKept)
    if (!this.#isClosed) this.#serve()
  }

  #cutAll(): void {
    for (const client of this.#clients) client.cut()
  }

  #checkClosed(): void {
    if (this.#isClosed && this.#clients.size === 0 && this.#ending.size === 0) this.#closed.resolve()
  }

  #warn(message: string, error: Error): void {
    const code = (error as { code?: unknown }).code
    this.#options.logger?.warn({ serverId: this.serverId, code }, message)
  }
}

function clientOf(lease: Lease): PoolClient & ServerClient {
  return lease.client as PoolClient & ServerClient
}
