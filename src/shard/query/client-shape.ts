import type { QueryResult } from 'pg'
import { isSubmittable, type ShardConnection } from '../shard-connection.ts'
import type { ClientLoan } from './pool-client.ts'
import { answer, readStatement, splitCallback } from './query-arguments.ts'

/** The client that a {@link ShardPool} lends, as the caller sees it: a client of `pg` in every respect. */
export function shapeClient(loan: ClientLoan): ShardConnection {
  return new Proxy(loan.connection, new ClientShape(loan))
}

class ClientShape implements ProxyHandler<ShardConnection> {
  readonly #loan: ClientLoan
  readonly #own: ReadonlyMap<PropertyKey, unknown>

  constructor(loan: ClientLoan) {
    this.#loan = loan
    this.#own = new Map<PropertyKey, unknown>([
      ['release', (error?: unknown) => loan.release(Boolean(error))],
      ['query', (...args: unknown[]) => this.#query(args)],
      [Symbol.asyncDispose, () => loan[Symbol.asyncDispose]()],
    ])
  }

  get(first: ShardConnection, property: PropertyKey, proxy: unknown): unknown {
    if (this.#own.has(property)) return this.#own.get(property)
    const value: unknown = Reflect.get(this.#loan.isStanding ? this.#loan.connection : first, property)
    if (typeof value !== 'function' || property === 'constructor') return value
    return (...args: unknown[]) => {
      const { connection } = this.#loan
      this.#loan.touch()
      const result: unknown = Reflect.apply(Reflect.get(connection, property) as () => unknown, connection, args)
      return result === connection ? proxy : result
    }
  }

  /** Every form of `client.query()`: with a promise, with a callback, with a cursor or a stream. */
  #query(given: unknown[]): unknown {
    const { args, callback } = splitCallback(given)
    const [statement, values] = args
    if (isSubmittable(statement)) return this.#loan.stream(statement)
    return answer(this.#run(statement, values), callback)
  }

  async #run(statement: unknown, values: unknown): Promise<QueryResult> {
    return this.#loan.run(readStatement(statement, values))
  }
}
