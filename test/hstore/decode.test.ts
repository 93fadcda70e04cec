import { expect, test } from 'vitest'
import { isHypervaultError } from '../../src/errors.ts'
import { decodeHstore } from '../../src/hstore/decode.ts'
import { bodyOf, sortedPairs } from './arbitrary-body.ts'

test.each([
  ['the empty text', '', {}],
  ['one pair', '"beep"=>"boop"', { beep: 'boop' }],
  ['several pairs', '"a"=>"1", "b"=>NULL, "c"=>"3"', { a: '1', b: null, c: '3' }],
  ['NULL with quotes as text', '"NULL"=>"NULL"', { NULL: 'NULL' }],
  ['an empty key and an empty value', '""=>""', { '': '' }],
  ['escaped quotes and backslashes', '"k\\""=>"v\\\\"', { 'k"': 'v\\' }],
  ['a backslash before a closing quote', '"a\\\\"=>"\\\\\\"", "b"=>"\\\\"', { 'a\\': '\\"', b: '\\' }],
  ['separators inside the quotes', '"a=>b, "=>"\\", \\"c\\"=>"', { 'a=>b, ': '", "c"=>' }],
  ['line feeds after a backslash that is escaped', '"a"=>"\\\\\n"', { a: '\\\n' }],
  ['characters beyond the first plane', '"🏔"=>"\\"𝄞"', { '🏔': '"𝄞' }],
  ['the names of inherited members', '"constructor"=>"1", "toString"=>NULL', { constructor: '1', toString: null }],
])('decodes %s', (_what, text, body) => {
  expect(sortedPairs(decodeHstore(text))).toEqual(sortedPairs(body))
})

test('gives an ordinary object that equals a literal', () => {
  const body = decodeHstore('"a"=>"1", "b"=>NULL')
  expect(body).toStrictEqual({ a: '1', b: null })
  expect(Object.getPrototypeOf(body)).toBe(Object.prototype)
})

test('keeps __proto__ as an own property that can be changed, and the prototype as it was', () => {
  const body = decodeHstore('"a"=>"1", "__proto__"=>"x"')
  expect(Object.entries(body)).toEqual(
    Object.entries(
      bodyOf([
        ['a', '1'],
        ['__proto__', 'x'],
      ]),
    ),
  )
  expect(Object.getPrototypeOf(body)).toBe(Object.prototype)
  expect(Object.getOwnPropertyDescriptor(body, '__proto__')).toMatchObject({ writable: true, configurable: true })
})

test.each([
  ['white space alone', ' ', 0],
  ['a key without quotes', 'a=>"1"', 0],
  ['a key alone', '"a"', 3],
  ['a key that does not end', '"a', 2],
  ['half an arrow', '"a"="1"', 3],
  ['white space around the arrow', '"a" => "1"', 3],
  ['no value', '"a"=>', 5],
  ['a value without quotes', '"a"=>1', 5],
  ['null in small letters', '"a"=>null', 5],
  ['a null that goes on', '"a"=>NULLS', 9],
  ['a value that does not end', '"a"=>"1', 7],
  ['a value that ends in an escaped quote', '"a"=>"1\\"', 9],
  ['a backslash at the end', '"a"=>"1\\', 8],
  ['an escape of another character', '"a"=>"\\n"', 7],
  ['a comma without white space', '"a"=>"1","b"=>"2"', 8],
  ['a comma at the end', '"a"=>"1", ', 10],
  ['white space at the end', '"a"=>"1" ', 8],
  ['text after a pair', '"a"=>"1"x', 8],
  ['a key that comes twice', '"a"=>"1", "a"=>"2"', 10],
  ['__proto__ that comes twice', '"__proto__"=>"1", "__proto__"=>"2"', 18],
  ['NUL in a value', '"a"=>"\0"', 6],
  ['a lone surrogate in a value', '"a"=>"𝄞\ud834"', 8],
])('refuses %s and says where', (_what, text, offset) => {
  const error = errorOf(() => decodeHstore(text))
  expect(isHypervaultError(error, 'HV_HSTORE_MALFORMED') && error.details).toEqual({ offset })
})

test('says what it expected, but nothing of the text', () => {
  const error = errorOf(() => decodeHstore('"secret"=>"secret" '))
  expect((error as Error).message).toBe('malformed hstore text: expected `, ` at offset 18 of 19')
})

function errorOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
