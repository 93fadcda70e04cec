import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readValue, writeValue } from '../../../src/entity/kind/value-text.ts'
import {
  bigint,
  boolean,
  bytes,
  custom,
  integer,
  Key,
  json,
  number,
  oneOf,
  reference,
  text,
  timestamp,
  uuid,
} from '../../../src/index.ts'
import { isStorable, schemaValue } from './arbitrary-value.ts'

const context = { epochMs: 0 }

describe('the text of a value that only a schema knows', () => {
  it('is read as that value, whatever it is', () => {
    fc.assert(
      fc.property(schemaValue, (value) => {
        expect(readValue(writeValue(value))).toEqual(value)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is a text for each string, which is read as that string', () => {
    const looksLike = fc.oneof(
      fc.json(),
      fc.double().map(String),
      fc.bigInt().map((n) => `${n}n`),
    )
    const quoted = fc.oneof(looksLike, fc.string()).map((inner) => JSON.stringify(inner))
    fc.assert(
      fc.property(fc.oneof(looksLike, quoted, fc.string({ unit: 'binary' }).filter(isStorable)), (string) => {
        expect(readValue(writeValue(string))).toBe(string)
        expect(readValue(writeValue([string]))).toEqual([string])
        expect(() => readValue(string)).not.toThrow()
      }),
      { numRuns: 2_000 },
    )
  })

  it.each<[unknown, string]>([
    ['Ankara', 'Ankara'],
    ['5', '"5"'],
    ['05', '05'],
    ['1.50', '1.50'],
    ['true', '"true"'],
    ['', ''],
    ['"', '"'],
    ['"x"', '"\\"x\\""'],
    ['[draft]', '[draft]'],
    ['[1]', '"[1]"'],
    ['2014-11-15', '2014-11-15'],
    ['2014-11-15T14:11:06.450Z', '"2014-11-15T14:11:06.450Z"'],
    ['-Infinity', '-Infinity'],
    [5, '5'],
    [-0, '0'],
    [1e21, '1e+21'],
    [12n, '12n'],
    ['12n', '"12n"'],
    [true, 'true'],
    [new Date('2014-11-15T14:11:06.450Z'), '2014-11-15T14:11:06.450Z'],
    [
      { at: new Date(0), n: 1n, tags: ['1', '1n'] },
      '{"at":"1970-01-01T00:00:00.000Z","n":"1n","tags":["1","\\"1n\\""]}',
    ],
    [[null, true], '[null,true]'],
  ])('of %o is %s', (value, written) => {
    expect(writeValue(value)).toBe(written)
  })

  it('that is nested too deep to be a value is a string', () => {
    const deep = '['.repeat(5_000) + ']'.repeat(5_000)
    expect(readValue(deep)).toBe(deep)
    expect(readValue(writeValue(deep))).toBe(deep)
  })
})

describe('a field reads what others write as well', () => {
  it.each([
    ['an integer with zeros', integer(), '007', 7],
    ['a negative zero', integer(), '-0', 0],
    ['a numeric of PostgreSQL', number(), '1.50', 1.5],
    ['an exponent', number(), '1E3', 1_000],
    ['a time with an offset', timestamp(), '2014-11-15T16:11:06+02:00', new Date('2014-11-15T14:11:06Z')],
    ['a time with microseconds', timestamp(), '2014-11-15T14:11:06.450999Z', new Date('2014-11-15T14:11:06.450Z')],
    ['a UUID in capitals', uuid(), '6BA7B810-9DAD-11D1-80B4-00C04FD430C8', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
    ['JSON with spaces', json<number[]>(), '[ 1, 2 ]', [1, 2]],
  ])('%s', (_name, field, stored, value) => {
    expect(field.read(stored, context)).toEqual(value)
  })
})

describe('a field does not read', () => {
  it.each([
    ['a fraction as an integer', integer(), '1.5'],
    ['an integer that would lose digits', integer(), '9007199254740993'],
    ['nothing as a number', number(), ''],
    ['infinity', number(), 'Infinity'],
    ['more than a number holds', number(), '1e999'],
    ['hexadecimal', bigint(), '0x10'],
    ['yes', boolean(), 'yes'],
    ['a time without an offset', timestamp(), '2014-11-15T14:11:06'],
    ['a day', timestamp(), '2014-11-15'],
    ['another text', oneOf('a', 'b'), 'c'],
    ['half a UUID', uuid(), '6ba7b810-9dad'],
    ['what is not base64', bytes(), 'a*'],
    ['no JSON', json(), '{'],
    ['no key', reference(), '9223372036854775808'],
    ['what a codec throws at', custom({ write: String, read: (from) => new URL(from) }), 'no url'],
  ])('%s', (_name, field, stored) => {
    expect(() => field.read(stored, context)).toThrow('a value does not fit')
  })

  it('a null, unless it may be null', () => {
    expect(() => text().read(null, context)).toThrow('a value does not fit')
    expect(text().nullable().read(null, context)).toBeNull()
  })
})

describe('a field', () => {
  it('gives each entity a default of its own', () => {
    const given = ['new']
    const tags = json<string[]>().default(given)
    given.push('later')
    const first = tags.readMissing(context)
    first?.push('old')
    expect(tags.readMissing(context)).toEqual(['new'])
  })

  it('calls a function for its default each time', () => {
    let calls = 0
    const counted = integer().default(() => (calls += 1))
    expect([counted.readMissing(context), counted.write(undefined)]).toEqual([1, '2'])
  })

  it('is optional or has a default, and says so at once', () => {
    expect(() => text().optional().default('x')).toThrow('a field is optional or has a default, once')
    expect(() => text().default('x').optional()).toThrow(TypeError)
  })

  it('keeps the clock of the keys of the deployment', () => {
    const key = reference().read('307821103844175873', { epochMs: 1 })
    expect(key).toEqual(new Key(307821103844175873n, 1))
    expect(key?.created.getUTCFullYear()).toBe(1971)
  })
})
