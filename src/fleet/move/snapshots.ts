import type { Lease } from '../../pool/lease.ts'
import { ServerSession } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { compareSessionSql } from './proof-sql.ts'

/** Longest time for one piece of a table. */
const STATEMENT_MS = 600_000

/** A session of its own at each side, for as long as a comparison takes. */
export class ComparedSides implements AsyncDisposable {
  readonly sessions: readonly [ServerSession, ServerSession]
  readonly #leases: readonly Lease[]

  static async open(left: FleetLink, right: FleetLink): Promise<ComparedSides> {
    const leases: Lease[] = []
    try {
      // Bound: the link knows the signal of the move.
      for (const link of [left, right]) leases.push(await link.acquire())
      const sides = new ComparedSides(leases as [Lease, Lease])
      await Promise.all(sides.sessions.map((session) => session.execute(compareSessionSql)))
      return sides
    } catch (error) {
      for (const lease of leases) lease.destroy()
      throw error
    }
  }

  private constructor(leases: readonly [Lease, Lease]) {
    this.#leases = leases
    this.sessions = [new ServerSession(leases[0], STATEMENT_MS), new ServerSession(leases[1], STATEMENT_MS)]
  }

  /** Fixes what both sides see, and gives the position of the first in its WAL. */
  async freeze(): Promise<string> {
    const opening = ['begin isolation level repeatable read read only', 'select 1']
    const [left, right] = this.sessions
    await Promise.all([left.execute(opening), right.execute(opening)])
    const [row] = await left.read({ text: 'select pg_current_wal_insert_lsn()' })
    return row?.[0] ?? ''
  }

  /** Does some work on frozen rows, of a moment for each side, and lets both see what is written afterwards. */
  async look<T>(work: () => Promise<T>): Promise<T> {
    await this.freeze()
    const result = await work()
    await Promise.all(this.sessions.map((session) => session.execute(['commit'])))
    return result
  }

  /** The sessions were set up for this alone, so nobody gets them afterwards. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const lease of this.#leases) if (!lease.isReturned) lease.destroy()
    return Promise.resolve()
  }
}
