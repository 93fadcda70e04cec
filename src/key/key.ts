import { inspect } from 'node:util'
import { assertInteger, describeType } from '../arguments/arguments.ts'
import {
  addedIdOf,
  DEFAULT_EPOCH_MS,
  elapsedMsOf,
  MAX_ADDED_ID,
  MAX_ELAPSED_MS,
  MAX_ID,
  MIN_ID,
  packId,
  shardIdOf,
} from './layout.ts'
import { assertShardId } from './shard-id.ts'

/** What a key is made of. */
export interface KeyFields {
  /** Time of creation, UTC, in whole milliseconds. */
  created: Date
  /** Logical shard, 0 … 8191. */
  shardId: number
  /** Sequence within the shard, 0 … 1023. */
  addedId: number
}

/** Smallest and largest key that a stretch of time can hold in one shard, both included. */
export interface KeyBounds {
  first: Key
  last: Key
}

/**
 * The 64-bit id of an entity: when it was created, in which logical shard, and its sequence there. Immutable.
 *
 * @example
 * new Key(307821103844175873n).created // 2014-11-15T14:11:06.450Z
 */
export class Key {
  /** The signed 64-bit id, as PostgreSQL stores it. Negative from 2048-07-20 on with the default epoch. */
  readonly id: bigint
  readonly #epochMs: number

  /**
   * Decodes an id, given as a bigint or as decimal text.
   *
   * @param epochMs zero of the key's clock in milliseconds since 1970; default {@link DEFAULT_EPOCH_MS}
   * @throws TypeError for a number (it would lose digits above 2^53) and every other type
   * @throws RangeError for text that is no decimal integer, and outside -2^63 … 2^63-1
   */
  constructor(id: bigint | string, epochMs: number = DEFAULT_EPOCH_MS) {
    this.id = parseId(id)
    this.#epochMs = epochMs
    Object.freeze(this)
  }

  /** Time of creation, UTC, in whole milliseconds. */
  get created(): Date {
    return new Date(this.#epochMs + elapsedMsOf(this.id))
  }

  /** Logical shard, 0 … 8191. */
  get shardId(): number {
    return shardIdOf(this.id)
  }

  /** Sequence within the shard, 0 … 1023. */
  get addedId(): number {
    return addedIdOf(this.id)
  }

  equals(other: unknown): boolean {
    return other instanceof Key && other.id === this.id
  }

  /** The id in decimal. */
  toString(): string {
    return String(this.id)
  }

  /** The id in decimal, as text: a JSON number would lose digits. */
  toJSON(): string {
    return String(this.id)
  }

  /** What `pg` sends for a key that is a parameter of a statement: the id in decimal. */
  toPostgres(): string {
    return String(this.id)
  }

  [inspect.custom](): string {
    return `Key(${this.id}n: shard ${this.shardId}, ${this.created.toISOString()}, sequence ${this.addedId})`
  }

  /** Order of creation: by time, then shard, then sequence. For `Array.prototype.sort`. */
  static compare(this: void, a: Key, b: Key): number {
    const left = BigInt.asUintN(64, a.id)
    const right = BigInt.asUintN(64, b.id)
    if (left === right) return 0
    return left < right ? -1 : 1
  }

  /**
   * Makes the key of these parts.
   *
   * @throws TypeError or RangeError for a part that does not fit, or a time before the epoch or 69 years after it
   */
  static from(fields: KeyFields, epochMs: number = DEFAULT_EPOCH_MS): Key {
    const { created, shardId, addedId } = fields
    assertShardId(shardId)
    assertInteger('addedId', addedId, 0, MAX_ADDED_ID)
    return new Key(packId({ elapsedMs: elapsedSince(created, epochMs), shardId, addedId }), epochMs)
  }

  /**
   * Bounds of the keys that a shard gives out from `from` (included) to `to` (not included). When the stretch contains
   * 2048-07-20 (default epoch) the ids change their sign in it: then `last.id < first.id`.
   *
   * @throws RangeError when the stretch is empty or a time does not fit into a key
   */
  static bounds(shardId: number, from: Date, to: Date, epochMs: number = DEFAULT_EPOCH_MS): KeyBounds {
    assertShardId(shardId)
    const firstMs = elapsedSince(from, epochMs)
    const lastMs = elapsedSince(to, epochMs, 1) - 1
    if (lastMs < firstMs) throw new RangeError(`'to' must be later than 'from', got ${iso(from)} to ${iso(to)}`)
    return {
      first: new Key(packId({ elapsedMs: firstMs, shardId, addedId: 0 }), epochMs),
      last: new Key(packId({ elapsedMs: lastMs, shardId, addedId: MAX_ADDED_ID }), epochMs),
    }
  }
}

function parseId(id: unknown): bigint {
  const value = typeof id === 'string' ? parseDecimal(id) : id
  if (typeof value !== 'bigint') throw new TypeError(explainType(value))
  if (value < MIN_ID || value > MAX_ID) throw new RangeError(`a key must fit into 64 signed bits, got ${value}`)
  return value
}

function parseDecimal(text: string): bigint {
  if (!/^-?\d{1,19}$/.test(text)) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
    throw new RangeError(`a key must be a decimal integer of at most 19 digits, got ${JSON.stringify(shown)}`)
  }
  return BigInt(text)
}

function explainType(value: unknown): string {
  if (typeof value !== 'number') return `a key must be a bigint or decimal text, got ${describeType(value)}`
  return `a key must be a bigint or decimal text, got the number ${value}: numbers lose digits above 2^53`
}

function elapsedSince(created: unknown, epochMs: number, slackMs = 0): number {
  if (!(created instanceof Date)) throw new TypeError(`a time must be a Date, got ${describeType(created)}`)
  const elapsedMs = created.getTime() - epochMs
  if (elapsedMs >= 0 && elapsedMs <= MAX_ELAPSED_MS + slackMs) return elapsedMs
  const range = `${iso(new Date(epochMs))} to ${iso(new Date(epochMs + MAX_ELAPSED_MS))}`
  throw new RangeError(`a key holds times from ${range}, got ${iso(created)}`)
}

function iso(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an invalid Date' : date.toISOString()
}
