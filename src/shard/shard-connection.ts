import type { PoolClient, QueryResult, Submittable } from 'pg'
import type { Lease } from '../pool/lease.ts'
import type { StatementLog, StatementRecord } from '../pool/statement-log.ts'
import { outlivesSweep } from '../sql/statement-text.ts'
import { callerError, isDead } from './statement-error.ts'

/**
 * A connection lent to the caller: a `pg` client in every respect, which knows where it leads and can be given back by
 * `release()`, by `putConnection()`, or by leaving the block of an `await using`. After that it refuses to be used.
 */
export type ShardConnection = PoolClient &
  AsyncDisposable & {
    readonly shardId: number
    readonly serverId: string
  }

/** Methods of an event emitter that attach a listener. */
const attaching: ReadonlySet<PropertyKey> = new Set([
  'on',
  'once',
  'addListener',
  'prependListener',
  'prependOnceListener',
])

type Callback = (error: unknown, result?: unknown) => void
type Listener = (...args: unknown[]) => void

/** Methods that detach listeners, or look at them: pg allows them after the release, when they concern nobody. */
const detaching: ReadonlySet<PropertyKey> = new Set([
  ...['off', 'removeListener', 'removeAllListeners', 'listenerCount', 'listeners', 'rawListeners', 'eventNames'],
])

/*
 * One loan. The client itself goes on to the next borrower, so the caller gets a proxy that ends with the loan: a second
 * `release()` can then never take the connection away from somebody else. What the caller attached is detached at the
 * end, and a client whose type parsers were changed is not lent again. What the caller assigns, such as a `query` or a
 * `release` of its own, stays on an object of the loan that stands before the client; when the caller deletes it, that of the
 * loan is there again, and never that of the client, which knows nothing of loans.
 */
class Loan implements ProxyHandler<PoolClient> {
  readonly #lease: Lease
  readonly #shardId: number
  readonly #log: StatementLog
  readonly #listeners: [string | symbol, Listener][] = []
  #own: object = {}

  constructor(lease: Lease, shardId: number, log: StatementLog) {
    this.#lease = lease
    this.#shardId = shardId
    this.#log = log
  }

  /** What the caller sees. */
  lend(): ShardConnection {
    const own = {
      shardId: this.#shardId,
      serverId: this.#lease.serverId,
      release: (error?: unknown) => this.#release(Boolean(error)),
      query: (...args: unknown[]) => this.#query(args),
      removeAllListeners: (event?: string | symbol) => {
        this.#detach(event)
        return lent
      },
      [Symbol.asyncDispose]: () => this.#dispose(),
    }
    this.#own = own
    const lent = new Proxy(before(this.#lease.client, own), this) as ShardConnection
    return lent
  }

  getPrototypeOf(): object | null {
    return Reflect.getPrototypeOf(this.#lease.client)
  }

  get(overlay: PoolClient, property: PropertyKey, proxy: unknown): unknown {
    if (Object.hasOwn(overlay, property)) return Reflect.get(overlay, property)
    const { client } = this.#lease
    const value: unknown = Reflect.get(client, property)
    // Whoever gets hold of a part of the client can send by it. An `await` asks for `then`, which it has not.
    if (typeof value === 'object' || typeof value === 'function') this.#lease.taint()
    if (typeof value !== 'function' || property === 'constructor') return value
    return (...args: unknown[]) => {
      if (!this.#lease.isReturned || !detaching.has(property)) this.#lease.assertHeld()
      this.#watch(property, args)
      const result: unknown = Reflect.apply(value, client, args)
      return result === client ? proxy : result
    }
  }

  deleteProperty(overlay: PoolClient, property: PropertyKey): boolean {
    return deleteBefore(overlay, this.#own, property)
  }

  #watch(property: PropertyKey, args: unknown[]): void {
    if (property === 'setTypeParser') this.#lease.spoil()
    if (attaching.has(property)) this.#listeners.push([args[0] as string, args[1] as Listener])
  }

  #release(isBroken: boolean): void {
    this.#lease.assertHeld()
    this.#detach()
    if (isBroken) this.#lease.destroy()
    else this.#lease.release()
  }

  /** Only what the caller has attached: others listen too. */
  #detach(event?: string | symbol): void {
    for (const [attached, listener] of this.#listeners) {
      if (event === undefined || event === attached) this.#lease.client.removeListener(attached, listener)
    }
  }

  #dispose(): Promise<void> {
    if (!this.#lease.isReturned) this.#release(false)
    return Promise.resolve()
  }

  /** Every form of `client.query()`: with a promise, with a callback, with a cursor or a stream. */
  #query(args: unknown[]): unknown {
    this.#lease.assertHeld()
    this.#lease.taint()
    const [first] = args
    const text = textOf(first)
    if (outlivesSweep(text)) this.#lease.spoil()
    const record = this.#log.begin(text, { serverId: this.#lease.serverId, shardId: this.#shardId })
    if (isSubmittable(first)) return this.#run([observeSubmittable(first, record), ...args.slice(1)])
    const last = args.at(-1)
    if (typeof last === 'function') return this.#run([...args.slice(0, -1), this.#observe(last as Callback, record)])
    return (this.#run(args) as Promise<QueryResult>).then(
      (result) => {
        record.succeed(rowsOf(result))
        return result
      },
      (error: unknown) => {
        record.fail(error)
        throw this.#coded(error)
      },
    )
  }

  #run(args: unknown[]): unknown {
    const { client } = this.#lease
    // eslint-disable-next-line @typescript-eslint/unbound-method -- applied to its client at once
    return Reflect.apply(client.query as Listener, client, args)
  }

  #observe(callback: Callback, record: StatementRecord): Callback {
    return (error, result) => {
      if (error === undefined || error === null) record.succeed(rowsOf(result as QueryResult))
      else record.fail(error)
      callback(error === undefined || error === null ? error : this.#coded(error), result)
    }
  }

  #coded(error: unknown): unknown {
    const { serverId, client } = this.#lease
    return callerError(error, { serverId, shardId: this.#shardId, isDead: isDead(client) })
  }
}

/** An object that has properties of its own, and all those of another one behind them. */
export function before<T extends object>(behind: T, own: object): T {
  return Object.create(behind, Object.getOwnPropertyDescriptors(own)) as T
}

/** Deletes what was assigned to such an object since, so that it has its own property again if there was one. */
export function deleteBefore(overlay: object, own: object, property: PropertyKey): boolean {
  const descriptor = Reflect.getOwnPropertyDescriptor(own, property)
  if (descriptor === undefined) return Reflect.deleteProperty(overlay, property)
  return Reflect.defineProperty(overlay, property, descriptor)
}

/** Wraps what was leased into the connection that the caller sees. */
export function lendConnection(lease: Lease, shardId: number, log: StatementLog): ShardConnection {
  return new Loan(lease.vouch(), shardId, log).lend()
}

/** True for a cursor, a stream or a `Query` object, as `client.query()` of `pg` takes them. */
export function isSubmittable(value: unknown): value is Submittable {
  return typeof (value as { submit?: unknown } | null)?.submit === 'function'
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query
  const { text, cursor } = query as { text?: unknown; cursor?: { text?: unknown } }
  return typeof text === 'string' ? text : typeof cursor?.text === 'string' ? cursor.text : '(unknown)'
}

function rowsOf(result: QueryResult | QueryResult[]): number | null {
  if (!Array.isArray(result)) return result.rowCount
  return result.reduce((rows, { rowCount }) => rows + (rowCount ?? 0), 0)
}

/** Hears the end of a query, cursor or stream by the two methods that every submittable of `pg` has. */
function observeSubmittable(query: Submittable, record: StatementRecord): Submittable {
  const observed = query as unknown as Record<'handleReadyForQuery' | 'handleError', Listener>
  const { handleReadyForQuery, handleError } = observed
  observed.handleReadyForQuery = (...args) => {
    // Only a `Query` has its rows together.
    const { _results: results } = query as { _results?: QueryResult }
    record.succeed(results === undefined ? null : rowsOf(results))
    handleReadyForQuery.apply(query, args)
  }
  observed.handleError = (...args) => {
    record.fail(args[0])
    handleError.apply(query, args)
  }
  return query
}
