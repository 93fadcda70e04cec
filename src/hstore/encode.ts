import type { Body } from './body.ts'
import { escapeText } from './escape.ts'
import { assertPairCount, assertTextLength } from './limits.ts'
import { nameKey, nameType, nameValue } from './name.ts'
import { isPlain } from './plain.ts'

/**
 * Writes a body as hstore text, pairs in the order of the object's keys. The body is checked on the way, whatever its
 * static type: a TypeError for anything but a plain object of strings and nulls, a RangeError for NUL, a lone surrogate
 * or too much text. Properties that are not enumerable are left out, as `JSON.stringify` leaves them out.
 */
export function encodeHstore(body: Body): string {
  let text = ''
  for (const key of listKeys(body)) {
    text = appendPair(text, key, body[key])
    assertTextLength(text.length, key)
  }
  return text
}

function listKeys(body: unknown): string[] {
  assertPlainObject(body)
  const symbols = Object.getOwnPropertySymbols(body)
  if (symbols.length > 0) throw new TypeError(`the keys of body must be strings, got ${String(symbols[0])}`)
  const keys = Object.keys(body)
  assertPairCount(keys.length)
  return keys
}

function assertPlainObject(body: unknown): asserts body is object {
  if (typeof body === 'object' && body !== null) {
    const prototype: unknown = Object.getPrototypeOf(body)
    if (prototype === Object.prototype || prototype === null) return
  }
  throw new TypeError(`body must be a plain object, got ${nameType(body)}`)
}

function appendPair(text: string, key: string, value: unknown): string {
  assertPair(key, value)
  const start = (text === '' ? '"' : text + ', "') + toQuotable(key, nameKey, key)
  return value === null ? start + '"=>NULL' : start + '"=>"' + toQuotable(value, nameValue, key) + '"'
}

/** The length is looked at before escaping already, because twice the longest string of Node.js is no string. */
function assertPair(key: string, value: unknown): asserts value is string | null {
  if (typeof value === 'string') return assertTextLength(key.length + value.length, key)
  if (value === null) return assertTextLength(key.length, key)
  throw new TypeError(`${nameValue(key)} must be a string or null, got ${nameType(value)}`)
}

function toQuotable(text: string, name: (key: string) => string, key: string): string {
  if (isPlain(text)) return text
  if (text.includes('\0')) throw new RangeError(`${name(key)} must not contain NUL (U+0000)`)
  if (!text.isWellFormed()) throw new RangeError(`${name(key)} must be well-formed Unicode, got a lone surrogate`)
  return escapeText(text)
}
