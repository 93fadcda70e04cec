import { expect, test } from 'vitest'
import { encodeHstore } from '../../src/hstore/encode.ts'
import { bodyOf } from './arbitrary-body.ts'

test.each([
  ['a body without pairs as the empty text', {}, ''],
  ['one pair', { beep: 'boop' }, '"beep"=>"boop"'],
  ['pairs in the order of the keys', { b: '1', a: '2' }, '"b"=>"1", "a"=>"2"'],
  ['null without quotes', { a: null }, '"a"=>NULL'],
  ['the text NULL with quotes', { NULL: 'NULL' }, '"NULL"=>"NULL"'],
  ['an empty key and an empty value', { '': '' }, '""=>""'],
  ['a null under an empty key, then a pair', { '': null, a: '' }, '""=>NULL, "a"=>""'],
  ['quotes and backslashes with a backslash each', { 'k"': 'v\\' }, '"k\\""=>"v\\\\"'],
  ['a quote in a text that is longer than a loop reads', { k: `${'x'.repeat(40)}"` }, `"k"=>"${'x'.repeat(40)}\\""`],
  ['commas, arrows and white space as they are', { 'a=>b': ' , \n\t' }, '"a=>b"=>" , \n\t"'],
  ['what a replacement would expand as it is', { "$&'": '"$&$1' }, '"$&\'"=>"\\"$&$1"'],
  ['characters beyond the first plane as they are', { '🏔': '"𝄞' }, '"🏔"=>"\\"𝄞"'],
  ['__proto__ as a key like any other', bodyOf([['__proto__', 'x']]), '"__proto__"=>"x"'],
])('encodes %s', (_what, body, text) => {
  expect(encodeHstore(body)).toBe(text)
})

test('encodes an object without a prototype', () => {
  const body = Object.assign(Object.create(null) as Record<string, string>, { a: '1' })
  expect(encodeHstore(body)).toBe('"a"=>"1"')
})

test('leaves out properties that are not enumerable or not the own ones', () => {
  const body = Object.defineProperty({ a: '1' }, 'hidden', { value: '2', enumerable: false })
  expect(encodeHstore(body)).toBe('"a"=>"1"')
})

test('reads each value once, so that a getter cannot show one value and send another', () => {
  let reads = 0
  const body = Object.defineProperty({}, 'a', { get: () => ((reads += 1) === 1 ? 'first' : 7), enumerable: true })
  expect(encodeHstore(body)).toBe('"a"=>"first"')
  expect(reads).toBe(1)
})
