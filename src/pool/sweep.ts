import { Query } from 'pg'
import { NO_QUERY_TIMEOUT, setPipelined } from './pg-internals.ts'
import { PreparedStatements } from './prepared-statements.ts'
import type { PendingSweep, ServerClient } from './server-client.ts'
import { SESSION_SQL } from './session.ts'

/*
 * What statements of a caller leave in a session: settings, roles, temporary objects, cursors, prepared statements,
 * sequences that were drawn from, channels that are listened to, advisory locks. No text tells: a function, a trigger or
 * a view can do any of it. So after such statements the session is swept before it is lent again.
 *
 * It is `discard all`, but for the plans of functions and foreign keys, which depend on nothing that is reset, and for
 * `reset role`, which gives a role back that belongs to the login. The roles come first: what comes after them is done
 * by whom the connection belongs to. One round trip; it is not waited for but by who borrows the session next, and goes
 * out with the last statement when it is known to be the last. A session in which it fails is closed.
 */
const SWEEP_SQL = [
  'reset session authorization',
  'reset role',
  'reset all',
  'close all',
  'unlisten *',
  'discard temp',
  'discard sequences',
  'deallocate all',
  'select pg_catalog.pg_advisory_unlock_all() as hv_unlocked',
].join('; ')

/** The sweep of one session. */
export class Sweep implements PendingSweep {
  /** Resolves when the session is clean, or lost. */
  readonly end: Promise<void>
  readonly #client: ServerClient
  #timer: NodeJS.Timeout | undefined

  private constructor(client: ServerClient) {
    this.#client = client
    // Bound: bound(), for whoever waits for it.
    this.end = new Promise((resolve) => {
      const sql = client.hasOwnSettings ? SWEEP_SQL : `${SWEEP_SQL}; ${SESSION_SQL}`
      client.query(new SweepQuery(sql, (error) => resolve(this.#finish(error))))
    })
  }

  /** Sends the sweep of a session, behind the statement that is in flight if there is one. Nothing may come after it. */
  static send(client: ServerClient): PendingSweep {
    PreparedStatements.forget(client)
    setPipelined(client, true)
    return (client.sweep ??= new Sweep(client))
  }

  /** Cuts the connection if the sweep is not finished by then. */
  bound(timeoutMs: number): void {
    if (this.#client.sweep === this) this.#timer ??= setTimeout(() => this.#client.cut(), timeoutMs).unref()
  }

  #finish(error: Error | null): void {
    clearTimeout(this.#timer)
    setPipelined(this.#client, false)
    this.#client.sweep = undefined
    if (error !== null) this.#client.cut()
  }
}

/** The names of fields and methods are those that pg 8.23 looks for. */
class SweepQuery extends Query {
  readonly callback: (error: Error | null) => void
  /** None: it begins with the statement before, whose time is not its own. See `bound`. */
  readonly query_timeout = NO_QUERY_TIMEOUT

  constructor(text: string, end: (error: Error | null) => void) {
    super(text)
    this.callback = end
  }

  handleRowDescription(): void {
    // Nobody reads what it says.
  }

  handleDataRow(): void {
    // Nobody reads what it says.
  }

  handleCommandComplete(): void {
    // Nobody reads what it says.
  }
}
