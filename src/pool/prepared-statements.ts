import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import { forgetStatement, forgetStatements } from './pg-internals.ts'

const sessions = new WeakMap<object, PreparedStatements>()

/** Characters of a text that count as one statement: what the server keeps grows with the text. */
const UNIT_LENGTH = 1_024

/**
 * Of the texts that find no room, one in so many takes it from those that were not used for longest. One that is used
 * often gets in soon; but texts that come in turns, more of them than fit, do not drop one another before each is used
 * again, which would make all of them find no room for ever.
 */
const ADMIT_EVERY = 16

/**
 * The named statements of one session: at most `max`, where a long text counts as several. A name is the hash of its
 * text, so it means the same in every session, also behind a pooler that shares them.
 */
export class PreparedStatements {
  readonly #client: PoolClient
  readonly #max: number
  readonly #names = new Map<string, string>()
  readonly #dropped: string[] = []
  #weight = 0
  #rejected = 0

  private constructor(client: PoolClient, max: number) {
    this.#client = client
    this.#max = max
  }

  /** Those of a connection: they outlive its lease, so whoever borrows it next has to know them. */
  static of(client: PoolClient, max: number): PreparedStatements {
    const statements = sessions.get(client) ?? new PreparedStatements(client, max)
    sessions.set(client, statements)
    return statements
  }

  /** Says that a session has none any more. Only while nobody holds those that it had. */
  static forget(client: object): void {
    sessions.delete(client)
    forgetStatements(client)
  }

  /** Name under which to send a text; undefined if it is to be sent without one, because there is no room for it. */
  use(text: string): string | undefined {
    const known = this.#names.get(text)
    if (known === undefined && !this.#admits(text)) return undefined
    const name = known ?? statementName(text)
    // Deleted and set again, so that the map is in the order of use.
    this.#names.delete(text)
    this.#names.set(text, name)
    if (known === undefined) this.#weight += weightOf(text)
    while (this.#weight > this.#max && this.#names.size > 1) this.#dropOldest()
    return name
  }

  /** Drops a statement that the server refuses to run, so that the next use prepares it again. */
  drop(text: string): void {
    const name = this.#names.get(text)
    if (name === undefined) return
    this.#names.delete(text)
    this.#weight -= weightOf(text)
    forgetStatement(this.#client, name)
    this.#dropped.push(name)
  }

  /** What was dropped since: for the server to close before the next statement. It may know them no more. */
  takeDropped(): readonly string[] {
    return this.#dropped.splice(0)
  }

  #admits(text: string): boolean {
    if (this.#weight + weightOf(text) <= this.#max) return true
    this.#rejected = (this.#rejected + 1) % ADMIT_EVERY
    return this.#rejected === 0
  }

  #dropOldest(): void {
    for (const oldest of this.#names.keys()) return this.drop(oldest)
  }
}

function weightOf(text: string): number {
  return Math.ceil(text.length / UNIT_LENGTH)
}

/**
 * Texts can hold names that are data, such as the keys of a find: without a bound they would pile up. Long ones are not
 * remembered at all.
 */
const MAX_NAMES = 20_000

const names = new Map<string, string>()

function statementName(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `hv_${createHash('sha1').update(text).digest('hex').slice(0, 24)}`
  if (text.length > UNIT_LENGTH) return name
  if (names.size >= MAX_NAMES) names.clear()
  names.set(text, name)
  return name
}
