import { Query, type QueryResult, type ResultBuilder, type Submittable } from 'pg'
import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { onAbort } from '../../pool/abort-group.ts'
import { Deadline } from '../../pool/deadline.ts'
import type { Lease } from '../../pool/lease.ts'
import { queryTimeoutOf, setPipelined } from '../../pool/pg-internals.ts'
import { whenReady } from '../../pool/when-ready.ts'
import { lendConnection, type ShardConnection } from '../shard-connection.ts'
import { ShardScope } from '../shard-scope.ts'
import { ShardSession } from '../shard-session.ts'
import type { ShardSite } from '../shard-site.ts'
import { isDead } from '../statement-error.ts'
import { withBigints, type Int8 } from './int8.ts'
import type { StatementConfig } from './query-arguments.ts'
import { scopeStatement } from './scoped-statement.ts'

/*
 * A client that a `ShardPool` lends. It stands on a connection of the server that has the shard:
 *
 *   standing   on a connection, until it is released
 *   stepped    off it, because its first statement proved that the shard is not there, or that the connection is dead: no
 *   back       session is left that anything could depend on. It stands on another one before the next statement. So the
 *              first statement follows a shard that moves, and nothing leaks when it fails for somebody who releases
 *              clients only after a successful `begin`, as Drizzle does.
 *   released   the connection went back; everything is refused
 */

/** How a client is lent. */
export interface ClientOptions {
  readonly int8: Int8
  readonly signal?: AbortSignal | undefined
  /** Whether it is lent for one statement, so that what cleans the session can be sent along with it. */
  readonly isSingle?: boolean
}

type Answer = (error: Error | undefined, result: ResultBuilder) => void

/** Where a client stands. */
interface Stand {
  readonly lease: Lease
  readonly connection: ShardConnection
  readonly scope: ShardScope
  /** Where names of hstore were looked up; undefined if there is none. */
  readonly hstoreSchema: string | undefined
  /** How often the caller used it. */
  uses: number
}

/** One client of a {@link ShardPool}, for the time between `connect()` and `release()`. */
export class ClientLoan implements AsyncDisposable {
  readonly #site: ShardSite
  readonly #options: ClientOptions
  #stand: Stand | undefined
  #opening: Promise<void> | undefined
  #serverId = ''
  #isReleased = false
  readonly #texts = new Map<unknown, string>()
  #onRelease: (error: unknown) => void = () => undefined

  constructor(site: ShardSite, options: ClientOptions) {
    this.#site = site
    this.#options = options
  }

  get shardId(): number {
    return this.#site.shardId
  }

  /** Stands on a connection. Throws what `acquire` of a pool throws, and `HV_SHARD_UNKNOWN`. */
  open(signal = this.#options.signal): Promise<void> {
    this.#opening ??= this.#open(signal).finally(() => (this.#opening = undefined))
    return this.#opening
  }

  /** The connection that it stands on. */
  get connection(): ShardConnection {
    this.#assertHeld()
    if (this.#stand === undefined) throw this.#goneError()
    return this.#stand.connection
  }

  get isStanding(): boolean {
    return this.#stand !== undefined
  }

  /** Notes that something may depend on the session from now on. */
  touch(): void {
    if (this.#stand !== undefined) this.#stand.uses += 1
  }

  /** The text of the statement that was run under this name before. */
  textOf(name: unknown): string | undefined {
    return this.#texts.get(name)
  }

  /**
   * Runs a statement. Follows the shard if it is the first one. What `query_timeout` says is for all of it, also for
   * waiting; the connection is cut then.
   */
  async run(config: StatementConfig): Promise<QueryResult> {
    this.#assertHeld()
    this.#noteName(config)
    const { signal } = this.#options
    try {
      const timeoutMs = this.#timeoutOf(config)
      if (timeoutMs === 0) return await this.#follow(config, signal)
      using deadline = new Deadline(timeoutMs, signal, () => new Error('Query read timeout'))
      return await deadline.race(this.#follow(config, deadline.signal))
    } catch (error) {
      if (error instanceof Error && error !== signal?.reason) showCaller(error)
      throw error
    }
  }

  async #follow(config: StatementConfig, signal: AbortSignal | undefined): Promise<QueryResult> {
    const startedAt = performance.now()
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#attempt(config, signal)
      } catch (error) {
        signal?.throwIfAborted()
        if (await this.#findsHstore(error, signal)) continue
        if (!(await this.#stepsBack(error))) throw error
        const { shardId, follower, waitTimeoutMs } = this.#site
        const leftMs = startedAt + waitTimeoutMs - performance.now()
        await follower.follow(error, { shardId, attempt, leftMs, signal })
      }
    }
  }

  /** Sends a cursor or a stream, which goes on from there by itself. */
  stream<T extends Submittable>(statement: T): T {
    const { connection } = this
    this.#scope(statement)
    this.touch()
    // Bound: as in pg, only what the caller sets.
    return connection.query(statement)
  }

  /** Gives the connection back, or closes it when something is wrong with it. */
  release(error?: unknown): void {
    this.#assertHeld()
    this.#isReleased = true
    this.#stepOff(Boolean(error))
    this.#onRelease(error)
  }

  /** Is told what the client is released with. */
  onRelease(hear: (error: unknown) => void): void {
    this.#onRelease = hear
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReleased) this.release()
    return Promise.resolve()
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    const { shardId, log, statementTimeoutMs } = this.#site
    const home = this.#site.findHome()
    const lease = await home.pool.acquire({ signal })
    using _ = onAbort(signal, () => {
      if (!lease.isReturned) lease.destroy()
    })
    try {
      // An entry of `connections` may ask pg to pipeline; then the state of the transaction is not known when it is needed.
      setPipelined(lease.client, false)
      const hstoreSchema = await home.findHstoreSchema(new ShardSession(shardId, lease, log, statementTimeoutMs))
      this.#assertHeld()
      this.#serverId = lease.serverId
      const connection = lendConnection(lease, shardId, log)
      this.#stand = { lease, connection, scope: new ShardScope(shardId, hstoreSchema), hstoreSchema, uses: 0 }
    } catch (error) {
      if (!lease.isReturned) lease.release()
      throw error
    }
  }

  /** What is asked for in a row is sent in that order: nothing is waited for where a connection is there. */
  async #attempt(config: StatementConfig, signal: AbortSignal | undefined): Promise<QueryResult> {
    if (this.#stand === undefined) await this.open(signal)
    const { lease } = this.#stand ?? { lease: undefined }
    using _ = onAbort(signal, () => {
      if (lease?.isReturned === false) lease.destroy()
    })
    return await this.#send(config)
  }

  #send(config: StatementConfig): Promise<QueryResult> {
    const { connection } = this
    const isSwept = this.#options.isSingle === true && isAnswered(config)
    if (isSwept && this.#stand !== undefined) setPipelined(this.#stand.lease.client, true)
    this.touch()
    // Bound: `query_timeout` and the signal, in run(); without either there is none, as in pg.
    return new Promise((resolve, reject) => {
      const query = makeQuery(config, (error, result) => (error == null ? resolve(result) : reject(error)))
      this.#scope(query)
      connection.query(query)
      if (isSwept) this.#stand?.lease.sweepBehind()
    })
  }

  #scope(statement: Submittable): void {
    const { connection: client } = this
    const { scope } = this.#stand as Stand
    const { serverId } = client
    const { _result: result } = statement as { _result?: { _types?: unknown } }
    if (this.#options.int8 === 'bigint' && result !== undefined) result._types ??= withBigints(client)
    scopeStatement(statement, { client, scope, shardId: this.shardId, serverId })
  }

  #timeoutOf({ query_timeout: own }: StatementConfig): number {
    if (Number(own) > 0) return Number(own)
    return queryTimeoutOf(this.#site.findHome().pool.clientConfig)
  }

  /** Within one loan a name means one text, as on a connection of pg. */
  #noteName({ name, text }: StatementConfig): void {
    if (name === undefined) return
    const before = this.#texts.get(name)
    if (before === text) return
    if (before !== undefined) {
      throw new Error(`Prepared statements must be unique - '${name}' was used for a different statement`)
    }
    this.#texts.set(name, text)
  }

  /** After a failure: whether the connection could be left, because nothing but what failed was ever done on it. */
  async #stepsBack(error: unknown): Promise<boolean> {
    const stand = this.#stand
    if (stand === undefined) return false
    const { lease, uses } = stand
    if (!lease.isReturned) await whenReady(lease.client)
    if (uses !== 1 || !(isDead(lease.client) || isDeparture(error))) return false
    this.#stepOff(false)
    return true
  }

  /**
   * After a failure: whether the statement is worth sending again, because hstore has moved to another schema. Later in a loan
   * only whoever comes next learns of it.
   */
  async #findsHstore(error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    const stand = this.#stand
    if (stand === undefined || isDeparture(error)) return false
    const { hstoreSchema, lease, uses } = stand
    if (!this.#site.findHome().isHstoreRefuted(hstoreSchema, error) || uses !== 1) return false
    if (!lease.isReturned) await whenReady(lease.client)
    this.#stepOff(false)
    // Where no connection is to be had, what the server said first is what the caller gets.
    await this.open(signal).catch(() => undefined)
    return this.isStanding && this.#stand?.hstoreSchema !== hstoreSchema
  }

  #stepOff(isBroken: boolean): void {
    const stand = this.#stand
    this.#stand = undefined
    if (stand !== undefined && !stand.lease.isReturned) stand.connection.release(isBroken)
  }

  #assertHeld(): void {
    if (this.#isReleased) throw this.#goneError()
  }

  #goneError(): HypervaultError {
    const { shardId } = this
    const message = `this client of shard ${shardId} no longer has a connection`
    return new HypervaultError('HV_CONNECTION_RETURNED', message, { serverId: this.#serverId, shardId })
  }
}

/** Says that the shard is not there, or not any more. */
function isDeparture(error: unknown): boolean {
  return isHypervaultError(error, 'HV_SHARD_MISSING') || isHypervaultError(error, 'HV_SHARD_MOVED')
}

function makeQuery(config: StatementConfig, callback: Answer): Query {
  // pg takes undefined for what is not given, its types do not.
  const query = new Query({ ...config, name: undefined } as never, callback)
  return Object.assign(query, { query_timeout: config.query_timeout })
}

/** An error of the server comes out of a socket: it says nothing of the call that it answers. */
function showCaller(error: Error): void {
  Error.captureStackTrace(error, showCaller)
}

/** False for what asks for more before it is finished: what is sent behind it would be taken for the answer. */
function isAnswered({ text, rows }: StatementConfig): boolean {
  return rows === undefined && !/\bcopy\b/i.test(text)
}
