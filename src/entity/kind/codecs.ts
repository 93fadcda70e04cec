import { describeType } from '../../arguments/arguments.ts'
import { Key } from '../../key/key.ts'
import { misfit, type Misfit } from './misfit.ts'

/*
 * How values are written as the texts that hstore holds. Each value has exactly one text, so that equal texts mean equal
 * values and an index or a `where` finds them. Reading takes a little more than what is written, because rows may come
 * from elsewhere: what it takes is said at each codec. No message shows a value.
 */

/** What reading a text needs to know beside the text. */
export interface ReadContext {
  /** Zero of the clock of the deployment's keys. */
  readonly epochMs: number
}

/** Writes values of one type as text and reads them back. Throws a misfit for what does not fit. */
export interface TextCodec<T> {
  write(value: unknown): string
  read(text: string, context: ReadContext): T
}

/** Any text that PostgreSQL can hold. */
export const textCodec: TextCodec<string> = {
  write(value) {
    if (typeof value !== 'string') throw wrongType('text', value)
    if (value.includes('\0')) throw misfit('must not contain NUL (U+0000)')
    if (!value.isWellFormed()) throw misfit('must be well-formed Unicode, got a lone surrogate')
    return value
  },
  read: (text) => text,
}

/** Safe integers, `-5`. */
export const integerCodec: TextCodec<number> = {
  write(value) {
    if (typeof value !== 'number') throw wrongType('an integer', value)
    if (!Number.isSafeInteger(value)) throw misfit('must be an integer between -(2^53 - 1) and 2^53 - 1')
    return String(value)
  },
  read(text) {
    const value = /^-?\d+$/.test(text) ? Number(text) : NaN
    if (!Number.isSafeInteger(value)) throw misfit('is not the text of an integer up to 2^53 - 1')
    return value === 0 ? 0 : value
  },
}

/** Finite numbers as JavaScript prints them, `1.5e+21`; -0 becomes 0. Reads what PostgreSQL prints too. */
export const numberCodec: TextCodec<number> = {
  write(value) {
    if (typeof value !== 'number') throw wrongType('a number', value)
    if (!Number.isFinite(value)) throw misfit('must be a finite number')
    return String(value)
  },
  read(text) {
    const value = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN
    if (!Number.isFinite(value)) throw misfit('is not the text of a finite number')
    return value === 0 ? 0 : value
  },
}

/** Integers of any size, in decimal. */
export const bigintCodec: TextCodec<bigint> = {
  write(value) {
    if (typeof value !== 'bigint') throw wrongType('a bigint', value)
    return String(value)
  },
  read(text) {
    if (!/^-?\d+$/.test(text)) throw misfit('is not the text of an integer')
    return BigInt(text)
  },
}

/** `true` and `false`. */
export const booleanCodec: TextCodec<boolean> = {
  write(value) {
    if (typeof value !== 'boolean') throw wrongType('true or false', value)
    return String(value)
  },
  read(text) {
    if (text !== 'true' && text !== 'false') throw misfit("is neither 'true' nor 'false'")
    return text === 'true'
  },
}

/** An instant, written as `2014-11-15T14:11:06.450Z`. Reads any offset, and cuts off what is below the millisecond. */
export const timestampCodec: TextCodec<Date> = {
  write(value) {
    if (!(value instanceof Date)) throw wrongType('a Date', value)
    if (Number.isNaN(value.getTime())) throw misfit('must be a time, got an invalid Date')
    return value.toISOString()
  },
  read(text) {
    const value = new Date(isoInstant.test(text) ? text.replace(/(\.\d{3})\d+/, '$1') : NaN)
    if (Number.isNaN(value.getTime())) throw misfit('is not an ISO 8601 time with date and offset')
    return value
  },
}

const isoInstant = /^(\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/

/** Written in lower case, with hyphens; both cases are taken. */
export const uuidCodec: TextCodec<string> = {
  write(value) {
    if (typeof value !== 'string') throw wrongType('a UUID', value)
    return asUuid(value)
  },
  read: asUuid,
}

function asUuid(text: string): string {
  if (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)) return text.toLowerCase()
  throw misfit('must be a UUID: 32 hexadecimal digits with hyphens')
}

/** Written in base64 with padding. */
export const bytesCodec: TextCodec<Uint8Array> = {
  write(value) {
    if (!(value instanceof Uint8Array)) throw wrongType('a Uint8Array', value)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  },
  read(text) {
    const bytes = Buffer.from(text, 'base64')
    if (bytes.toString('base64') !== text) throw misfit('is not base64')
    return new Uint8Array(bytes)
  },
}

/** The key of an entity, in decimal. */
export const keyCodec: TextCodec<Key> = {
  write(value) {
    if (!(value instanceof Key)) throw wrongType('a Key', value)
    return value.toString()
  },
  read(text, { epochMs }) {
    try {
      return new Key(text, epochMs)
    } catch {
      throw misfit('is not the text of a key')
    }
  },
}

/** One of a few texts. */
export function choiceCodec<T extends string>(choices: readonly T[]): TextCodec<T> {
  const known: ReadonlySet<unknown> = new Set(choices)
  const asChoice = (value: unknown): T => {
    if (known.has(value)) return value as T
    throw misfit(`must be one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`)
  }
  return { write: asChoice, read: asChoice }
}

/** The misfit of a value of another type. */
export function wrongType(expected: string, value: unknown): Misfit {
  return misfit(`must be ${expected}, got ${describeType(value)}`)
}
