import { HypervaultError } from '../errors.ts'
import type { Body } from './body.ts'
import { setOwn } from './set-own.ts'
import { learnShape, rootShape } from './shape.ts'
import { unescapeText } from './escape.ts'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const space = 0x20

/**
 * Reads the hstore text that a server printed. The result is an ordinary object whose keys are all own properties,
 * `__proto__` too. Throws `HV_HSTORE_MALFORMED`, with the offset in UTF-16 units, for text that hstore never prints.
 */
export function decodeHstore(text: string): Body {
  const isPlain = !text.includes('\\')
  const known = isPlain ? readByShape(text) : undefined
  if (known !== undefined) return known
  const body = new HstoreReader(text).readBody()
  if (isPlain && !Object.hasOwn(body, '__proto__')) learnShape(Object.keys(body))
  return body
}

/** Reads a text without escapes whose keys have been seen before in this order; gives up at the first surprise. */
function readByShape(text: string): Body | undefined {
  if (text.includes('\0') || !text.isWellFormed()) return undefined
  const body: Record<string, string | null> = {}
  let at = 0
  for (let shape = rootShape.findNext(text, 0); shape !== undefined; shape = shape.findNext(text, at)) {
    const start = at + shape.valueOffset
    const end = endOfValue(text, start)
    if (end === -1) return undefined
    body[shape.key] = text.charCodeAt(start) === quote ? text.slice(start + 1, end - 1) : null
    if (end === text.length) return body
    if (text.charCodeAt(end) !== comma || text.charCodeAt(end + 1) !== space) return undefined
    at = end + 2
  }
  return undefined
}

/** The place behind a quoted value without escapes or a null; -1 if there is neither. */
function endOfValue(text: string, start: number): number {
  if (text.charCodeAt(start) !== quote) return text.startsWith('NULL', start) ? start + 4 : -1
  const closing = text.indexOf('"', start + 1)
  return closing === -1 ? -1 : closing + 1
}

/** Reads one text from the left to the right, and never goes back. */
class HstoreReader {
  readonly #text: string
  readonly #hasEscapes: boolean
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#hasEscapes = text.includes('\\')
  }

  readBody(): Body {
    const body: Record<string, string | null> = {}
    if (this.#text === '') return body
    this.#assertStorable()
    this.#readPair(body)
    while (this.#at < this.#text.length) {
      this.#expect(', ')
      this.#readPair(body)
    }
    return body
  }

  #assertStorable(): void {
    const nul = this.#text.indexOf('\0')
    if (nul !== -1) throw this.#malformed(nul, 'no NUL')
    if (!this.#text.isWellFormed()) throw this.#malformed(this.#text.search(/\p{Surrogate}/u), 'no lone surrogate')
  }

  #readPair(body: Record<string, string | null>): void {
    const start = this.#at
    const key = this.#readQuoted()
    if (Object.hasOwn(body, key)) throw this.#malformed(start, 'a key that is not there yet')
    this.#expect('=>')
    const value = this.#text.charCodeAt(this.#at) === quote ? this.#readQuoted() : this.#readNull()
    setOwn(body, key, value)
  }

  #readNull(): null {
    this.#expect('NULL')
    return null
  }

  #readQuoted(): string {
    if (this.#unit(this.#at) !== quote) throw this.#malformed(this.#at, '`"`')
    const start = this.#at + 1
    const end = this.#text.indexOf('"', start)
    if (end === -1) throw this.#malformed(this.#text.length, 'a closing quote')
    const content = this.#text.slice(start, end)
    if (this.#hasEscapes && content.includes('\\')) return this.#readEscaped(start)
    this.#at = end + 1
    return content
  }

  #readEscaped(start: number): string {
    let end = start
    for (let unit = this.#unit(end); unit !== quote; unit = this.#unit(end)) {
      if (Number.isNaN(unit)) throw this.#malformed(end, 'a closing quote')
      end += unit === backslash ? this.#escapeLength(end) : 1
    }
    this.#at = end + 1
    return unescapeText(this.#text.slice(start, end))
  }

  #escapeLength(at: number): 2 {
    const escaped = this.#unit(at + 1)
    if (escaped === quote || escaped === backslash) return 2
    throw this.#malformed(at + 1, 'a quote or a backslash')
  }

  #unit(at: number): number {
    return this.#text.charCodeAt(at)
  }

  #expect(token: string): void {
    if (!this.#text.startsWith(token, this.#at)) throw this.#malformed(this.#at, `\`${token}\``)
    this.#at += token.length
  }

  #malformed(offset: number, expected: string): HypervaultError<'HV_HSTORE_MALFORMED'> {
    const message = `malformed hstore text: expected ${expected} at offset ${offset} of ${this.#text.length}`
    return new HypervaultError('HV_HSTORE_MALFORMED', message, { offset })
  }
}
