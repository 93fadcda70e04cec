import { Query, type QueryResult, type ResultBuilder, type Submittable } from 'pg'
import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { onAbort } from '../../pool/abort-group.ts'
import type { Lease } from '../../pool/lease.ts'
import { setPipelined } from '../../pool/pg-internals.ts'
import { whenReady } from '../../pool/when-ready.ts'
import { lendConnection, type ShardConnection } from '../shard-connection.ts'
import { ShardScope } from '../shard-scope.ts'
import { ShardSession } from '../shard-session.ts'
import type { ShardSite } from '../shard-site.ts'
import { isDead } from '../statement-error.ts'
import { withBigints, type Int8 } from './int8.ts'
import type { StatementConfig } from './query-arguments.ts'
import { scopeStatement } from './scoped-statement.ts'
import { changesSession } from './statement-text.ts'

/*
 * A client that a `ShardPool` lends. It stands on a connection of the server that has the shard:
 *
 *   standing   on a connection, until it is released
 *   stepped    off it, because its first statement proved that the shard is not there, or that the connection is dead: no
 *   back       session is left that anything could depend on. It stands on another one before the next statement. So the
 *              first statement follows a shard that moves, and nothing leaks when it fails for somebody who releases
 *              clients only after a successful `begin`, as Drizzle does.
 *   released   the connection went back, or was closed because its session was changed; everything is refused
 */

/** How a client is lent. */
export interface ClientOptions {
  readonly int8: Int8
  readonly signal?: AbortSignal | undefined
}

type Answer = (error: Error | undefined, result: ResultBuilder) => void

/** Where a client stands. */
interface Stand {
  readonly lease: Lease
  readonly connection: ShardConnection
  readonly scope: ShardScope
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
  #isChanged = false
  #isReleased = false

  constructor(site: ShardSite, options: ClientOptions) {
    this.#site = site
    this.#options = options
  }

  get shardId(): number {
    return this.#site.shardId
  }

  /** Stands on a connection. Throws what `acquire` of a pool throws, and `HV_SHARD_UNKNOWN`. */
  open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined))
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

  /** Runs a statement. Follows the shard if it is the first one. */
  async run(config: StatementConfig): Promise<QueryResult> {
    this.#assertHeld()
    const startedAt = performance.now()
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#attempt(config)
      } catch (error) {
        const { signal } = this.#options
        signal?.throwIfAborted()
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
    const { text } = statement as { text?: unknown }
    if (typeof text === 'string') this.#noteText(text)
    this.#scope(statement)
    this.touch()
    return connection.query(statement)
  }

  /** Gives the connection back, or closes it. */
  release(isBroken: boolean): void {
    this.#assertHeld()
    this.#isReleased = true
    this.#stepOff(isBroken || this.#isChanged)
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReleased) this.release(false)
    return Promise.resolve()
  }

  async #open(): Promise<void> {
    const { shardId, log, statementTimeoutMs } = this.#site
    const home = this.#site.findHome()
    const lease = await home.pool.acquire({ signal: this.#options.signal })
    try {
      // An entry of `connections` may ask pg to pipeline; then the state of the transaction is not known when it is needed.
      setPipelined(lease.client, false)
      const hstoreSchema = await home.findHstoreSchema(new ShardSession(shardId, lease, log, statementTimeoutMs))
      this.#assertHeld()
      this.#serverId = lease.serverId
      const connection = lendConnection(lease, shardId, log)
      this.#stand = { lease, connection, scope: new ShardScope(shardId, hstoreSchema), uses: 0 }
    } catch (error) {
      if (!lease.isReturned) lease.release()
      throw error
    }
  }

  /** What is asked for in a row is sent in that order: nothing is waited for where a connection is there. */
  async #attempt(config: StatementConfig): Promise<QueryResult> {
    if (this.#stand === undefined) await this.open()
    const { signal } = this.#options
    const { lease } = this.#stand ?? { lease: undefined }
    using _ = onAbort(signal, () => {
      if (lease?.isReturned === false) lease.destroy()
    })
    return await this.#send(config)
  }

  #send(config: StatementConfig): Promise<QueryResult> {
    const { connection } = this
    this.#noteText(config.text)
    this.touch()
    return new Promise((resolve, reject) => {
      const query = makeQuery(config, (error, result) => (error == null ? resolve(result) : reject(error)))
      this.#scope(query)
      connection.query(query)
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

  #noteText(text: string): void {
    this.#isChanged ||= changesSession(text)
  }

  /** After a failure: whether the connection could be left, because nothing but what failed was ever done on it. */
  async #stepsBack(error: unknown): Promise<boolean> {
    const stand = this.#stand
    if (stand === undefined) return false
    const { lease, uses } = stand
    if (!lease.isReturned) await whenReady(lease.client)
    const isGone = isDead(lease.client) || isHypervaultError(error, 'HV_SHARD_MISSING')
    if (uses !== 1 || !(isGone || isHypervaultError(error, 'HV_SHARD_MOVED'))) return false
    this.#stepOff(false)
    return true
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
    const message = `this client of shard ${shardId} has no connection any more`
    return new HypervaultError('HV_CONNECTION_RETURNED', message, { serverId: this.#serverId, shardId })
  }
}

function makeQuery(config: StatementConfig, callback: Answer): Query {
  // pg takes undefined for what is not given, its types do not.
  const query = new Query(config as never, callback)
  return Object.assign(query, { query_timeout: config.query_timeout })
}
