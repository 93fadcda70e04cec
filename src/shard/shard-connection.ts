import type { PoolClient, QueryResult, Submittable } from 'pg'
import type { Lease } from '../pool/lease.ts'
import type { StatementLog, StatementRecord } from '../pool/statement-log.ts'
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

/*
 * One loan. The client itself goes on to the next borrower, so the caller gets a proxy that ends with the loan: a second
 * `release()` can then never take the connection away from somebody else. What the caller attached is detached at the
 * end, and a client whose type parsers were changed is not lent again.
 */
class Loan implements ProxyHandler<PoolClient> {
  readonly #lease: Lease
  readonly #shardId: number
  readonly #log: StatementLog
  readonly #listeners: [string | symbol, Listener][] = []
  readonly #own: ReadonlyMap<PropertyKey, unknown>
  #isCustomized = false

  constructor(lease: Lease, shardId: number, log: StatementLog) {
    this.#lease = lease
    this.#shardId = shardId
    this.#log = log
    this.#own = new Map<PropertyKey, unknown>([
      ['shardId', shardId],
      ['serverId', lease.serverId],
      ['release', (error?: unknown) => this.#release(Boolean(error))],
      ['query', (...args: unknown[]) => this.#query(args)],
      [Symbol.asyncDispose, () => this.#dispose()],
    ])
  }

  get(client: PoolClient, property: PropertyKey, proxy: unknown): unknown {
    if (this.#own.has(property)) return this.#own.get(property)
    const value: unknown = Reflect.get(client, property)
    if (typeof value !== 'function' || property === 'constructor') return value
    return (...args: unknown[]) => {
      this.#lease.assertHeld()
      this.#watch(property, args)
      const result: unknown = Reflect.apply(value, client, args)
      return result === client ? proxy : result
    }
  }

  has(client: PoolClient, property: PropertyKey): boolean {
    return this.#own.has(property) || Reflect.has(client, property)
  }

  #watch(property: PropertyKey, args: unknown[]): void {
    if (property === 'setTypeParser') this.#isCustomized = true
    if (attaching.has(property)) this.#listeners.push([args[0] as string, args[1] as Listener])
  }

  #release(isBroken: boolean): void {
    this.#lease.assertHeld()
    for (const [event, listener] of this.#listeners) this.#lease.client.removeListener(event, listener)
    if (isBroken || this.#isCustomized) this.#lease.destroy()
    else this.#lease.release()
  }

  #dispose(): Promise<void> {
    if (!this.#lease.isReturned) this.#release(false)
    return Promise.resolve()
  }

  /** Every form of `client.query()`: with a promise, with a callback, with a cursor or a stream. */
  #query(args: unknown[]): unknown {
    this.#lease.assertHeld()
    const [first] = args
    const record = this.#log.begin(textOf(first), { serverId: this.#lease.serverId, shardId: this.#shardId })
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

/** Wraps what was leased into the connection that the caller sees. */
export function lendConnection(lease: Lease, shardId: number, log: StatementLog): ShardConnection {
  return new Proxy(lease.client, new Loan(lease, shardId, log)) as ShardConnection
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
