import type { Body } from './body.ts'
import { assertPair, assertStorableKey, assertStorableValue, listKeys } from './checks.ts'
import { escapeText } from './escape.ts'
import { assertTextLength } from './limits.ts'
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

function appendPair(text: string, key: string, value: unknown): string {
  assertPair(key, value)
  const start = (text === '' ? '"' : text + ', "') + quotableKey(key)
  return value === null ? start + '"=>NULL' : start + '"=>"' + quotableValue(value, key) + '"'
}

function quotableKey(key: string): string {
  if (isPlain(key)) return key
  assertStorableKey(key)
  return escapeText(key)
}

function quotableValue(value: string, key: string): string {
  if (isPlain(value)) return value
  assertStorableValue(value, key)
  return escapeText(value)
}
