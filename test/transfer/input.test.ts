import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { stringify } from 'csv-stringify/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Key, type Body } from '../../src/index.ts'
import { decideFormat } from '../../src/transfer/input/input-format.ts'
import { MalformedInput } from '../../src/transfer/input/malformed-input.ts'
import { OpenInput } from '../../src/transfer/input/open-input.ts'
import { measure, ReadMeter } from '../../src/transfer/input/read-mark.ts'
import { MAX_RECORD_BYTES } from '../../src/transfer/input/source-record.ts'
import { arbitraryBody } from '../hstore/arbitrary-body.ts'
import { chunksOf, readInput, type ReadInput } from './input.ts'

const bodiesOf = ({ records, error }: ReadInput): (Body | string | undefined)[] => {
  if (error instanceof Error) throw error
  return records.map(({ row, problem }) => row?.body ?? problem)
}

/** Another checksum at the end. */
const damage = (packed: Buffer): Buffer => packed.fill(0xff, packed.length - 8)

const KEY = String(Key.from({ created: new Date('2024-01-01T00:00:00Z'), shardId: 5, addedId: 1 }))
const TIME = '2024-01-01T00:00:00.000Z'
const OWN = 'key,shard,kind,created,updated'

/** The members of a line that an export writes. */
const exported = { key: KEY, shard: 5, kind: -3, created: TIME, updated: null, body: { a: 'x', b: null } }

const exportLine = (changes: Record<string, unknown> = {}): string => {
  const line = { ...exported }
  for (const [name, value] of Object.entries(changes)) {
    Object.defineProperty(line, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return JSON.stringify(line)
}

/** What an export writes in front of the body in CSV. */
const ownFields = (changes: Record<string, string> = {}): string =>
  Object.values({ key: KEY, shard: '5', kind: '-3', created: TIME, updated: '', ...changes }).join()

const chunkSizes = fc.constantFrom(1, 2, 3, 7, 64, Infinity)

/** What stands between lines, and what does not matter. */
const lineEnds = fc.constantFrom('\n', '\r\n', '\n\n', '\r\n \t\r\n')

describe('an input', () => {
  it('in NDJSON gives its objects with their lines, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryBody),
        lineEnds,
        fc.boolean(),
        chunkSizes,
        async (bodies, end, isEnded, size) => {
          const text = bodies.map((body) => JSON.stringify(body)).join(end) + (isEnded ? end : '')
          const input = await readInput('ndjson', text, {}, size)
          expect(bodiesOf(input)).toEqual(bodies)
          const step = end.split('\n').length - 1
          expect(input.records.map(({ line }) => line)).toEqual(bodies.map((_, index) => 1 + index * step))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('in a JSON array gives its elements with their lines, however it is cut and laid out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryBody),
        fc.constantFrom(undefined, 2),
        chunkSizes,
        async (bodies, indent, size) => {
          const text = JSON.stringify(bodies, undefined, indent)
          const input = await readInput('json', `\ufeff \n${text}\r\n`, {}, size)
          expect(bodiesOf(input)).toEqual(bodies)
          const lines = text.split('\n')
          const starts = lines.flatMap((line, index) => (/^ {2}\{/.test(line) ? [index + 2] : []))
          expect(input.records.map(({ line }) => line)).toEqual(indent === undefined ? bodies.map(() => 2) : starts)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('in CSV gives its records with their lines, however it is cut and quoted', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '"', ',', ';', '\n', '\r\n', 'é', '🗼', 'NULL') })
    const records = fc.array(fc.tuple(text, fc.option(text), text), { minLength: 1 })
    const form = fc.record({
      record_delimiter: fc.constantFrom('\n', '\r\n'),
      delimiter: fc.constantFrom(',', ';', '\t'),
    })
    await fc.assert(
      fc.asyncProperty(records, form, chunkSizes, async (rows, csv, size) => {
        const written = stringify([['a', 'b', 'é'], ...rows], { ...csv, quoted_string: true })
        const input = await readInput('csv', written, { delimiter: csv.delimiter }, size)
        expect(bodiesOf(input)).toEqual(rows.map(([a, b, c]) => ({ a, b, é: c })))
        const heights = rows.map((row) => 1 + row.join('').split('\n').length - 1)
        const lines = heights.map((_, index) => heights.slice(0, index).reduce((sum, height) => sum + height, 2))
        expect(input.records.map(({ line }) => line)).toEqual(lines)
      }),
      { numRuns: 100 },
    )
  })

  it('is unpacked when it is gzip, also when that is several files in one', async () => {
    const packed = Buffer.concat([gzipSync('{"a":"1"}\n{"a":'), gzipSync('"2"}\n')])
    for (const size of [1, 5, Infinity]) {
      expect(bodiesOf(await readInput('ndjson', packed, {}, size))).toEqual([{ a: '1' }, { a: '2' }])
    }
  })

  it('may begin with a mark of its byte order, packed or not', async () => {
    const marked = Buffer.from('\ufeffa\n1\n')
    expect(bodiesOf(await readInput('csv', marked, {}, 1))).toEqual([{ a: '1' }])
    expect(bodiesOf(await readInput('csv', gzipSync(marked)))).toEqual([{ a: '1' }])
  })

  it.each([
    ['gzip that is cut off', gzipSync(`{"a":"1"}\n`.repeat(20_000)).subarray(0, -20), 'its gzip ends too early'],
    ['gzip that is damaged', damage(gzipSync(`{"a":"1"}\n`)), 'its gzip is damaged'],
    ['UTF-16', Buffer.from('\ufeff{"a":"1"}', 'utf16le'), 'it is UTF-16, not UTF-8'],
  ])('that is %s cannot be read further, and nothing is made up', async (_what, bytes, message) => {
    const { records, error } = await readInput('ndjson', bytes)
    expect(error).toBeInstanceOf(MalformedInput)
    expect(error).toMatchObject({ message })
    expect(records.every(({ row }) => row?.body.a === '1')).toBe(true)
  })

  it.each([
    ['cities.csv', '', 'csv'],
    ['a/b.TSV.gz', '{', 'csv'],
    ['x.jsonl', '[', 'ndjson'],
    ['x.ndjson.gz', '', 'ndjson'],
    ['x.json', ' \n[{', 'json'],
    ['x.json', '{', 'ndjson'],
    ['standard input', '[', 'json'],
    ['x.txt', 'a,b', undefined],
  ])('named %j that begins with %j is in the form %j', (name, head, format) => {
    expect(decideFormat(name, Buffer.from(head))).toBe(format)
  })
})

describe('a row in JSON', () => {
  const rowOf = async (text: string, nested: 'reject' | 'json' = 'reject'): Promise<unknown> =>
    bodiesOf(await readInput('ndjson', text, { nested }))[0]

  it('keeps the digits of numbers as they are written', async () => {
    const text = '{"a":12345678901234567890,"b":1.50,"c":-0,"d":1E400,"e":true,"f":false,"g":null,"h":"1.50"}'
    const body = {
      a: '12345678901234567890',
      b: '1.50',
      c: '-0',
      d: '1E400',
      e: 'true',
      f: 'false',
      g: null,
      h: '1.50',
    }
    expect(await rowOf(text)).toEqual(body)
  })

  it('with an object or array in it is refused, or holds its JSON as it is written', async () => {
    const text = '{"a" : {"x": [1.0, "},{"]} ,"\\"b":[],"c":7,"a\\\\":{ }}'
    expect(await rowOf(text)).toBe('"a" holds an object, but a body can hold only text')
    expect(await rowOf(text, 'json')).toEqual({ a: '{"x": [1.0, "},{"]}', '"b': '[]', c: '7', 'a\\': '{ }' })
  })

  it('takes the last of members with the same key, and any key', async () => {
    expect(await rowOf('{"a":1,"b":"x","a":2,"__proto__":3}')).toEqual(JSON.parse('{"a":"2","b":"x","__proto__":"3"}'))
  })

  it.each([
    exportLine(),
    exportLine({ updated: TIME }),
    JSON.stringify(Object.fromEntries(Object.entries(exported).reverse())),
  ])('may be a line that an export wrote: %s', async (line) => {
    const { records } = await readInput('ndjson', line)
    const { key, kind, updated } = JSON.parse(line) as Record<string, unknown>
    expect(records[0]?.row).toEqual({ entity: { key, kind, updated }, body: { a: 'x', b: null } })
  })

  it.each<[string, Record<string, unknown>]>([
    ['a member more', { extra: '1' }],
    ['a member less', { created: undefined }],
    ['only some', { shard: undefined, created: undefined, updated: undefined }],
    ['another shard', { shard: 6 }],
    ['a key that is none', { key: 'k1' }],
    ['a key beyond 64 bits', { key: '9923372036854775809' }],
    ['a key as a number', { key: 42 }],
    ['a kind that is none', { kind: 40_000 }],
    ['a kind as text', { kind: '1' }],
    ['a day', { created: '2024-01-01' }],
    ['another time zone', { updated: '2024-01-01T00:00:00.000+01:00' }],
    ['a body of numbers', { body: { a: 7 } }],
    ['a body with a body', { body: { body: {} } }],
    ['a text as body', { body: 'x' }],
    ['a list as body', { body: ['x'] }],
    ['names in other letters', { key: undefined, Key: KEY }],
    ['a member __proto__', JSON.parse('{"__proto__":"p"}') as Record<string, unknown>],
  ])('that looks like such a line is stored whole, or refused: %s', async (_name, changes) => {
    const line = exportLine(changes)
    const [record] = (await readInput('ndjson', line, { nested: 'json' })).records
    expect(record?.row?.entity).toBeUndefined()
    expect(Object.keys(record?.row?.body ?? {})).toEqual(Object.keys(JSON.parse(line) as object))
    const [refused] = (await readInput('ndjson', line)).records
    if (typeof changes.body === 'string') expect(refused?.row).toEqual(record?.row)
    else expect(refused?.problem).toMatch(/^"body" holds an (?:object|array), but a body can hold only text$/)
  })

  it.each([
    ['5', 'it is not a JSON object, but a number'],
    ['[{}]', 'it is not a JSON object, but an array'],
    ['null', 'it is not a JSON object, but null'],
    ['{"a":"secret"', 'it is not JSON, from character 14 on'],
    ['{"a":tru}', expect.stringContaining('it is not JSON') as string],
    ['{"a":"\\u0000"}', 'body.a must not contain NUL (U+0000)'],
    ['{"a":"\\ud800"}', 'body.a must be well-formed Unicode, got a lone surrogate'],
  ])('is none: %s', async (text, problem) => {
    expect(await readInput('ndjson', text)).toMatchObject({ records: [{ problem, text }] })
  })

  it('is none when it is not UTF-8, or longer than there is room for', async () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"é"}\n{"a":"'), Buffer.from([0xe9]), Buffer.from('"}\n{"a":"z"}')])
    expect(bodiesOf(await readInput('ndjson', bytes, {}, 1))).toEqual([{ a: 'é' }, 'it is not UTF-8', { a: 'z' }])
    const long = `{"a":"${'x'.repeat(MAX_RECORD_BYTES)}"}\n{"a":"z"}`
    expect(bodiesOf(await readInput('ndjson', long, {}, 1024 * 1024))).toEqual([
      'it is longer than 16777216 bytes',
      { a: 'z' },
    ])
  })

  it('of many megabytes is read', async () => {
    const value = '\\"x'.repeat(4_000_000)
    const [body] = bodiesOf(await readInput('ndjson', `{"n":1,"a":"${value}"}`)) as [Body]
    expect(body).toEqual({ n: '1', a: '"x'.repeat(4_000_000) })
  })
})

describe('a JSON array', () => {
  it('gives a faulty element its line, and goes on behind it', async () => {
    const { records, error } = await readInput(
      'json',
      '[\n{"a":"1"},\n{"a" "2"},\n\n5,\n,{"a":[1]}\n, {"a":"3"}\n]',
      {},
      3,
    )
    expect(error).toBeUndefined()
    expect(records.map(({ line, problem }) => [line, problem])).toEqual([
      [2, undefined],
      [3, 'it is not JSON, from character 6 on'],
      [5, 'it is not a JSON object, but a number'],
      [6, 'there is no element'],
      [6, '"a" holds an array, but a body can hold only text'],
      [7, undefined],
    ])
  })

  it.each([
    ['{"a":"1"}', 'it does not begin with [', 1, 0],
    [' \n', 'it does not contain an array', 2, 2],
    ['[{"a":"1"},\n{"a":"2"', 'its array has no end', 2, 11],
    ['[{"a":"1"}]\n]', 'there is content after its array', 2, 12],
    [`[{"a":"1"},\n{"a":"${'x'.repeat(MAX_RECORD_BYTES)}"}]`, 'an element is longer than 16777216 bytes', 2, 11],
  ])('that is %.20j is malformed, and what is before stands', async (text, message, line, offset) => {
    const { records, error } = await readInput('json', text)
    expect(error).toBeInstanceOf(MalformedInput)
    expect(error).toMatchObject({ message, line, offset })
    expect(records.map(({ row }) => row?.body)).toEqual(offset > 2 ? [{ a: '1' }] : [])
  })
})

describe('a record of CSV', () => {
  it('tells empty text from nothing', async () => {
    const read = async (empty: 'null' | 'text' | 'absent'): Promise<unknown> =>
      bodiesOf(await readInput('csv', 'a,b,c\n1,,""\n', { empty }))
    expect(await read('null')).toEqual([{ a: '1', b: null, c: '' }])
    expect(await read('text')).toEqual([{ a: '1', b: '', c: '' }])
    expect(await read('absent')).toEqual([{ a: '1', c: '' }])
  })

  it('takes its names from the caller where there is no header', async () => {
    expect(bodiesOf(await readInput('csv', '1,2\n', { columns: ['x', 'y'] }))).toEqual([{ x: '1', y: '2' }])
  })

  it('is none when its fields are too few or too many, when a quote is misplaced, or when it is not UTF-8', async () => {
    const bytes = Buffer.from('a,b\n1\n1,2,3\n1,5" pipe\n"x"y,2\n"x""y","\n"\n1,\xe9\n1,2\n', 'latin1')
    const input = await readInput('csv', bytes)
    expect(bodiesOf(input)).toEqual([
      'it has 1 fields, and there are 2 columns',
      'it has 3 fields, and there are 2 columns',
      'there is a quote inside a field',
      'there is a quote inside a field',
      { a: 'x"y', b: '\n' },
      'it is not UTF-8',
      { a: '1', b: '2' },
    ])
    expect(input.records.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 8, 9])
    expect(input.records[2]?.text).toBe('1,5" pipe')
  })

  it('may be one that an export wrote', async () => {
    const entity = { key: KEY, kind: -3, updated: TIME }
    const whole = await readInput('csv', `${OWN},body\n${ownFields({ updated: TIME })},"{""a"":""é"",""b"":null}"\n`)
    expect(whole.records[0]?.row).toEqual({ entity, body: { a: 'é', b: null } })
    const columns = await readInput('csv', `${OWN},a,key,kind\n${ownFields()},é,,""\n`)
    expect(columns.records[0]?.row).toEqual({
      entity: { ...entity, updated: null },
      body: { a: 'é', key: null, kind: '' },
    })
  })

  it.each([
    ['another shard', 'a', ownFields({ shard: '6' }), 'x'],
    ['a kind that is none', 'a', ownFields({ kind: '1e1' }), 'x'],
    ['no time', 'a', ownFields({ created: 'today' }), 'x'],
    ['an empty text as time', 'a', ownFields({ updated: '""' }), 'x'],
    ['a body that is no JSON', 'body', ownFields(), 'x'],
    ['a body of numbers', 'body', ownFields(), '"{""a"":1}"'],
  ])('that looks like such a one is stored whole: %s', async (_name, column, fields, last) => {
    const { records } = await readInput('csv', `${OWN},${column}\n${fields},${last}\n`)
    expect(records[0]?.row?.entity).toBeUndefined()
    expect(Object.keys(records[0]?.row?.body ?? {})).toEqual([...OWN.split(','), column])
  })

  it('that no export wrote is none when two columns have one name', async () => {
    const input = await readInput('csv', `${OWN},key\n${ownFields({ shard: '6' })},x\n`)
    expect(bodiesOf(input)).toEqual(['two columns are named "key"'])
  })

  it.each([
    ['a\n1\n\n""\n2\n\n', [2, 3, 4, 5, 6]],
    ['a\r\n1\r\n\r\n""\r\n2\r\n\r\n', [2, 3, 4, 5, 6]],
    ['\ufeff\n\na\n1\n\n""\n2\n\n', [4, 5, 6, 7, 8]],
  ])('of one column is null on an empty line, as PostgreSQL writes it: %j', async (text, lines) => {
    const input = await readInput('csv', text)
    expect(bodiesOf(input)).toEqual(['1', null, '', '2', null].map((a) => ({ a })))
    expect(input.records.map(({ line }) => line)).toEqual(lines)
    expect(bodiesOf(await readInput('csv', text, { empty: 'absent' }, 1))[1]).toEqual({})
  })

  it('is none of the empty lines between those of several columns, or behind a header alone', async () => {
    expect(bodiesOf(await readInput('csv', '\na,b\n\n1,2\r\n\r\n3,4\n\n'))).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ])
    for (const text of ['a\n', 'a', 'a,b\n\n', '']) expect(bodiesOf(await readInput('csv', text))).toEqual([])
    expect(bodiesOf(await readInput('csv', '\nx\n', { columns: ['a'] }))).toEqual([{ a: null }, { a: 'x' }])
  })

  it.each([
    ['a,b\n1,2\n3,"4\n5,6\n', 'a quote is never closed', 3, 8],
    ['a,,c\n1,2,3\n', 'column 2 has no name', 1, 0],
    ['a,b,a\n1,2,3\n', 'two columns are named "a"', 1, 0],
    [
      `a,b\n1,2\n3,"${'x'.repeat(MAX_RECORD_BYTES + 9)}`,
      'a record is longer than 16777216 bytes, or a quote is never closed',
      3,
      8,
    ],
  ])('cannot be found in %.12j…, and what is before stands', async (text, message, line, offset) => {
    const { records, error } = await readInput('csv', text)
    expect(error).toBeInstanceOf(MalformedInput)
    expect(error).toMatchObject({ message, line, offset })
    expect(records.map(({ row }) => row?.body)).toEqual(offset > 0 ? [{ a: '1', b: '2' }] : [])
  })
})

describe('an input that is read again', () => {
  const collect = async (input: AsyncIterable<Buffer>): Promise<Buffer> => {
    const parts: Buffer[] = []
    for await (const part of input) parts.push(part)
    return Buffer.concat(parts)
  }
  const changed = (): Error => new Error('changed')

  it('goes by its marks, however it is cut, and also when it has grown', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300, size: 'max' }).map((each) => Buffer.from(each))
    await fc.assert(
      fc.asyncProperty(bytes, bytes, chunkSizes, chunkSizes, fc.nat(), async (before, added, first, second, seed) => {
        const meter = new ReadMeter()
        await collect(measure(chunksOf(before.subarray(0, seed % before.length), first), meter, [], changed))
        const early = meter.mark
        await collect(measure(chunksOf(before.subarray(early.bytes), first), meter, [], changed))
        const grown = Buffer.concat([before, added])
        const again = new ReadMeter()
        expect(await collect(measure(chunksOf(grown, second), again, [early, meter.mark], changed))).toEqual(grown)
        expect(again.mark.bytes).toBe(grown.length)
        const other = Buffer.from(before)
        other[seed % before.length] = ~(other[seed % before.length] as number)
        await expect(
          collect(measure(chunksOf(other, second), new ReadMeter(), [meter.mark], changed)),
        ).rejects.toThrow()
        const short = before.subarray(1)
        await expect(
          collect(measure(chunksOf(short, second), new ReadMeter(), [meter.mark], changed)),
        ).rejects.toThrow()
      }),
      { numRuns: 100 },
    )
  })
})

describe('an input whose beginning cannot be read', () => {
  it.each([
    ['gzip that is damaged', damage(gzipSync('{"a":"1"}\n')), 'its gzip is damaged'],
    ['gzip that is cut off', gzipSync('{"a":"1"}\n').subarray(0, 12), 'its gzip ends too early'],
    ['gzip of nothing else', Buffer.from([0x1f, 0x8b, 0xff, 0xff]), 'its gzip'],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'it is UTF-16, not UTF-8'],
  ])('is malformed: %s', async (_name, bytes, reason) => {
    await using input = await OpenInput.open({ name: 'rows.gz', path: undefined, stream: Readable.from([bytes]) })
    await expect(input.readHead()).rejects.toMatchObject({
      code: 'HV_IMPORT_MALFORMED',
      message: expect.stringContaining(reason) as string,
      details: { rows: 0, rejected: 0 },
    })
  })
})
