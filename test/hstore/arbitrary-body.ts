import fc from 'fast-check'
import type { Body } from '../../src/hstore/body.ts'

/** Pieces that mean something to hstore, to JavaScript or to an array literal; texts are composed of them. */
const pieces = [
  '"',
  '\\',
  ',',
  ', ',
  '=',
  '=>',
  'NULL',
  'null',
  ' ',
  '{',
  '}',
  '\n',
  '\t',
  "'",
  '$1',
  '$&',
  'a',
  'é',
  '東',
  '🏔',
  '\u00a0',
]

const wholeTexts = [
  '',
  'NULL',
  '__proto__',
  'constructor',
  'toString',
  'length',
  '0',
  '-1',
  '4294967295',
  '"=>"',
  '", "',
]

/** Well-formed text without NUL: all planes of Unicode, and many of the texts that a codec could stumble over. */
export const arbitraryText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...wholeTexts),
  fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replaceAll('\0', '')),
)

/** Any body that hstore can hold, `__proto__` as a key included. */
export const arbitraryBody: fc.Arbitrary<Body> = fc
  .uniqueArray(fc.tuple(arbitraryText, fc.option(arbitraryText)), { selector: ([key]) => key, maxLength: 12 })
  .map(bodyOf)

/** An ordinary object with exactly these own properties. */
export function bodyOf(entries: readonly (readonly [string, string | null])[]): Body {
  const body: Body = {}
  for (const [key, value] of entries) {
    Object.defineProperty(body, key, { value, enumerable: true, configurable: true, writable: true })
  }
  return body
}

/** The pairs of a body in an order that does not depend on how it was made. */
export function sortedPairs(body: Body): [string, string | null][] {
  return Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1))
}
