import type { Body } from './body.ts'
import { assertPairCount, assertTextLength } from './limits.ts'
import { nameKey, nameType, nameValue } from './name.ts'

/** The keys of what claims to be a body; a TypeError for anything but a plain object whose keys are all text. */
export function listKeys(body: Body): string[] {
  assertPlainObject(body)
  const symbols = Object.getOwnPropertySymbols(body)
  if (symbols.length > 0) throw new TypeError(`the keys of body must be strings, got ${String(symbols[0])}`)
  const keys = Object.keys(body)
  assertPairCount(keys.length)
  return keys
}

/**
 * Throws unless the value is text or null, or when the pair alone is too long. The length is looked at before escaping
 * already, because twice the longest string of Node.js is no string.
 */
export function assertPair(key: string, value: unknown): asserts value is string | null {
  if (typeof value === 'string') return assertTextLength(key.length + value.length, key)
  if (value === null) return assertTextLength(key.length, key)
  throw new TypeError(`${nameValue(key)} must be a string or null, got ${nameType(value)}`)
}

/** Throws a RangeError for a key that no database in UTF-8 can hold. */
export function assertStorableKey(key: string): void {
  assertStorable(key, nameKey, key)
}

/** Throws a RangeError for a value that no database in UTF-8 can hold. */
export function assertStorableValue(value: string, key: string): void {
  assertStorable(value, nameValue, key)
}

function assertStorable(text: string, name: (key: string) => string, key: string): void {
  if (text.includes('\0')) throw new RangeError(`${name(key)} must not contain NUL (U+0000)`)
  if (!text.isWellFormed()) throw new RangeError(`${name(key)} must be well-formed Unicode, got a lone surrogate`)
}

function assertPlainObject(body: unknown): asserts body is object {
  if (typeof body === 'object' && body !== null) {
    const prototype: unknown = Object.getPrototypeOf(body)
    if (prototype === Object.prototype || prototype === null) return
  }
  throw new TypeError(`body must be a plain object, got ${nameType(body)}`)
}
