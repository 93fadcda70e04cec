import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assertBody } from '../../src/hstore/assert-body.ts'
import type { Body } from '../../src/hstore/body.ts'
import { encodeHstore } from '../../src/hstore/encode.ts'
import { assertPairCount, maxPairs, maxTextLength } from '../../src/hstore/limits.ts'
import { nameType, nameValue } from '../../src/hstore/name.ts'
import { arbitraryBody, arbitraryText, bodyOf } from './arbitrary-body.ts'

class City {
  name = 'Vila'
}

test.each([
  ['undefined', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a string', 'a', 'string'],
  ['a number', 7, 'number'],
  ['a function', () => 7, 'function'],
  ['an array', ['a'], 'array'],
  ['a Map', new Map([['a', '1']]), 'Map'],
  ['an instance of a class', new City(), 'City'],
  ['an object that inherits', Object.create({ a: '1' }), 'object'],
])('refuses %s as a body', (_what, body, type) => {
  expect(() => assertBody(body)).toThrow(new TypeError(`body must be a plain object, got ${type}`))
})

test.each([
  ['undefined', undefined, 'undefined'],
  ['a number', 7, 'number'],
  ['a bigint', 7n, 'bigint'],
  ['a boolean', true, 'boolean'],
  ['a symbol', Symbol('secret'), 'symbol'],
  ['a function', () => 'secret', 'function'],
  ['an array', ['secret'], 'array'],
  ['an object', { secret: 'secret' }, 'object'],
  ['a Date', new Date(0), 'Date'],
  ['a String object', new String('secret'), 'String'],
  ['an object without a prototype', Object.create(null), 'object'],
])('refuses %s as a value, names the key and the type', (_what, value, type) => {
  const message = `body.age must be a string or null, got ${type}`
  expect(() => assertBody({ name: 'x', age: value })).toThrow(new TypeError(message))
})

test('refuses a symbol as a key', () => {
  const body = { a: '1', [Symbol('tag')]: '2' }
  expect(() => assertBody(body)).toThrow(new TypeError('the keys of body must be strings, got Symbol(tag)'))
})

test.each([
  ['NUL in a value', { name: 'sec\0ret' }, 'body.name must not contain NUL (U+0000)'],
  ['NUL in a long value', { name: `${'x'.repeat(40)}\0` }, 'body.name must not contain NUL (U+0000)'],
  ['NUL in a key', { 'a\0': null }, 'the key "a\\u0000" of body must not contain NUL (U+0000)'],
  ['a lone high surrogate in a value', { n: 'x\ud800' }, 'body.n must be well-formed Unicode, got a lone surrogate'],
  ['a lone low surrogate in a value', { n: '\udc00x' }, 'body.n must be well-formed Unicode, got a lone surrogate'],
  ['surrogates in the wrong order', { n: '\udc00\ud800' }, 'body.n must be well-formed Unicode, got a lone surrogate'],
  [
    'a lone surrogate in a key',
    { '\ud800': '' },
    'the key "\\ud800" of body must be well-formed Unicode, got a lone surrogate',
  ],
])('refuses %s', (_what, body, message) => {
  expect(() => assertBody(body)).toThrow(new RangeError(message))
})

test.each([
  ['a name as a member', 'first_name', 'body.first_name'],
  ['any other key in JSON', 'first "name"\n', 'body["first \\"name\\"\\n"]'],
  ['the empty key in JSON', '', 'body[""]'],
  ['a long key cut', 'k'.repeat(1000), `body["${'k'.repeat(80)}…"]`],
])('names %s', (_what, key, name) => {
  expect(() => assertBody({ [key]: 7 })).toThrow(new TypeError(`${name} must be a string or null, got number`))
})

test('refuses a value that is too long before escaping it', () => {
  const body = { a: '1', text: 'x'.repeat(maxTextLength) }
  const message = `body must have at most 170000000 characters as hstore text, got 170000004 at body.text`
  expect(() => assertBody(body)).toThrow(new RangeError(message))
})

test('refuses a key that is too long and has no value', () => {
  expect(() => assertBody({ ['"'.repeat(maxTextLength + 1)]: null })).toThrow(
    /^body must have at most 170000000 characters/,
  )
})

test('refuses a body that is too long as a whole', () => {
  const half = 'x'.repeat(maxTextLength / 2)
  expect(() => assertBody({ a: half })).not.toThrow()
  expect(() => assertBody({ a: half, b: half })).toThrow(/^body must have at most 170000000 characters .* at body\.b$/)
})

test('refuses more pairs than a server can read', () => {
  expect(() => assertPairCount(maxPairs)).not.toThrow()
  expect(() => assertPairCount(maxPairs + 1)).toThrow(
    new RangeError('body must have at most 16777216 keys, got 16777217'),
  )
})

test('accepts every body that hstore can hold', () => {
  fc.assert(fc.property(arbitraryBody, (body) => assertBody(body)))
})

test('refuses any value that is neither a string nor null, and names its key and nothing more than its type', () => {
  const notText = fc.anything().filter((value) => typeof value !== 'string' && value !== null)
  fc.assert(
    fc.property(arbitraryBody, arbitraryText, notText, (body, key, value) => {
      const bad = bodyOf([...Object.entries(body), [key, value as string]])
      const message = `${nameValue(key)} must be a string or null, got ${nameType(value)}`
      expect(() => encodeHstore(bad)).toThrow(new TypeError(message))
    }),
  )
})

test('shows no value in the message of a refusal', () => {
  const bad = fc.constantFrom('\0', '\ud800', '\udfff')
  fc.assert(
    fc.property(bad, fc.boolean(), (unit, isKey) => {
      const body: Body = isKey ? { [`name${unit}`]: 'secret' } : { name: `secret${unit}secret` }
      expect(() => encodeHstore(body)).toThrow(/^(?!.*secret).*name/)
    }),
  )
})
