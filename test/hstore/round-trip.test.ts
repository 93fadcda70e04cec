import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isHypervaultError } from '../../src/errors.ts'
import type { Body } from '../../src/hstore/body.ts'
import { decodeHstore } from '../../src/hstore/decode.ts'
import { encodeHstore } from '../../src/hstore/encode.ts'
import { arbitraryBody } from './arbitrary-body.ts'

const runs = { numRuns: 2000 }

test('what is encoded decodes equal, with the keys in the same order', () => {
  fc.assert(
    fc.property(arbitraryBody, (body) => {
      expect(Object.entries(decodeHstore(encodeHstore(body)))).toEqual(Object.entries(body))
    }),
    runs,
  )
})

test('what is decoded encodes to the same text', () => {
  fc.assert(
    fc.property(arbitraryBody, (body) => {
      const text = encodeHstore(body)
      expect(encodeHstore(decodeHstore(text))).toBe(text)
    }),
    runs,
  )
})

test('every shorter part of a text decodes to a body, or is refused as malformed', () => {
  fc.assert(
    fc.property(arbitraryBody, (body) => {
      const text = encodeHstore(body)
      for (let length = 0; length < text.length; length += 1) expectBodyOrMalformed(text.slice(0, length))
    }),
  )
})

test('every text with one change decodes to a body, or is refused as malformed', () => {
  fc.assert(fc.property(arbitraryBody, fc.nat(), fc.nat(3), arbitraryPatch, expectMutantIsTotal), runs)
})

test('any text at all decodes to a body, or is refused as malformed', () => {
  const tokens = fc.constantFrom('"', '\\', '=>', ', ', 'NULL', '"a"', '"a"=>"b"', '\0', '\ud800', '\udc00')
  fc.assert(
    fc.property(
      fc.array(tokens).map((parts) => parts.join('')),
      expectBodyOrMalformed,
    ),
    runs,
  )
})

const arbitraryPatch = fc.oneof(
  fc.constantFrom('', '"', '\\', '=>', ', ', 'NULL', '\0', '\ud800'),
  fc.string({ unit: 'binary', maxLength: 3 }),
)

function expectMutantIsTotal(body: Body, position: number, removed: number, patch: string): void {
  const text = encodeHstore(body)
  const at = position % (text.length + 1)
  expectBodyOrMalformed(text.slice(0, at) + patch + text.slice(at + removed))
}

/** A body must be one that can be sent again. */
function expectBodyOrMalformed(text: string): void {
  const body = tryDecode(text)
  if (body !== undefined) expect(encodeHstore(body)).toHaveLength(text.length)
}

function tryDecode(text: string): Body | undefined {
  try {
    return decodeHstore(text)
  } catch (error) {
    if (isHypervaultError(error, 'HV_HSTORE_MALFORMED')) return undefined
    throw error
  }
}
