import type { QueryResult } from 'pg'
import { before, deleteBefore, isSubmittable, type ShardConnection } from '../shard-connection.ts'
import type { ClientLoan } from './pool-client.ts'
import { answer, readStatement, splitCallback, type Callback } from './query-arguments.ts'

/** The client that a {@link ShardPool} lends, as the caller sees it: a client of `pg` in every respect. */
export function shapeClient(loan: ClientLoan): ShardConnection {
  const { connection } = loan
  const own = {
    release: (error?: unknown) => loan.release(error),
    query: (...args: unknown[]) => runOn(loan, args),
    [Symbol.asyncDispose]: () => loan[Symbol.asyncDispose](),
  }
  return new Proxy(before(connection, own), new ClientShape(loan, connection, own))
}

class ClientShape implements ProxyHandler<ShardConnection> {
  readonly #loan: ClientLoan
  readonly #first: ShardConnection
  readonly #own: object

  constructor(loan: ClientLoan, first: ShardConnection, own: object) {
    this.#loan = loan
    this.#first = first
    this.#own = own
  }

  getPrototypeOf(): object | null {
    return Reflect.getPrototypeOf(this.#first)
  }

  deleteProperty(overlay: ShardConnection, property: PropertyKey): boolean {
    return deleteBefore(overlay, this.#own, property)
  }

  get(overlay: ShardConnection, property: PropertyKey, proxy: unknown): unknown {
    if (Object.hasOwn(overlay, property)) return Reflect.get(overlay, property)
    const connection = this.#loan.isStanding ? this.#loan.connection : this.#first
    const value: unknown = Reflect.get(connection, property)
    if (typeof value !== 'function' || property === 'constructor') return value
    return (...args: unknown[]) => {
      this.#loan.touch()
      const result: unknown = Reflect.apply(value, connection, args)
      return result === connection ? proxy : result
    }
  }
}

/** Every form of `client.query()`: with a promise, with a callback, with a `Query`, a cursor or a stream. */
function runOn(loan: ClientLoan, given: unknown[]): unknown {
  const { args, callback } = splitCallback(given)
  const [statement, values] = args
  if (isSubmittable(statement)) {
    const query = statement as { callback?: unknown }
    query.callback ??= callback
    return loan.stream(statement)
  }
  return answer(run(loan, statement, values), callback ?? callbackOf(statement), null)
}

function callbackOf(statement: unknown): Callback<QueryResult> | undefined {
  const { callback } = Object(statement) as { callback?: unknown }
  return typeof callback === 'function' ? (callback as Callback<QueryResult>) : undefined
}

async function run(loan: ClientLoan, statement: unknown, values: unknown): Promise<QueryResult> {
  return loan.run(readStatement(statement, values, (name) => loan.textOf(name)))
}
