import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import { forgetStatement } from './pg-internals.ts'

const sessions = new WeakMap<PoolClient, PreparedStatements>()

/** Characters of a text that count as one statement: what the server keeps grows with the text. */
const UNIT_LENGTH = 1_024

/**
 * The named statements of one session: at most `max`, where a long text counts as several, and the one that was not used
 * for longest goes first. A name is the hash of its text, so it means the same in every session, also behind a pooler
 * that shares them.
 */
export class PreparedStatements {
  readonly #client: PoolClient
  readonly #max: number
  readonly #names = new Map<string, string>()
  #weight = 0

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

  /** Name under which to send a text. Takes another one off the server if there are too many. */
  use(text: string): string {
    const known = this.#names.get(text)
    const name = known ?? statementName(text)
    // Deleted and set again, so that the map is in the order of use.
    this.#names.delete(text)
    this.#names.set(text, name)
    if (known === undefined) this.#weight += weightOf(text)
    while (this.#weight > this.#max && this.#names.size > 1) this.#dropOldest()
    return name
  }

  /** Takes a statement off the server that it refuses to run, so that the next use prepares it again. */
  drop(text: string): void {
    const name = this.#names.get(text)
    if (name === undefined) return
    this.#names.delete(text)
    this.#weight -= weightOf(text)
    forgetStatement(this.#client, name)
    // The server may not have it any more; either way it is gone afterwards.
    this.#client.query(`deallocate ${name}`).catch(() => undefined)
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
