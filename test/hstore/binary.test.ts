import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { Body } from '../../src/hstore/body.ts'
import { encodeHstore } from '../../src/hstore/encode.ts'
import { NO_ROOM, splitHstore, tryWriteHstore } from '../../src/hstore/encode-binary.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { arbitraryBody } from './arbitrary-body.ts'

let databases: TestDatabases
let client: pg.Client

beforeAll(async () => {
  databases = await createDatabases(1)
  client = new pg.Client(databases.connections[0])
  await client.connect()
  await client.query('create extension hstore')
})

afterAll(async () => {
  await client.end()
  await databases.drop()
})

const arbitraryBatch = fc.array(arbitraryBody, { minLength: 1, maxLength: 300, size: 'max' })

/** The binary form, written behind a few other bytes. */
function writeBody(body: Body): Buffer {
  const bytes = Buffer.alloc(1_000_000)
  const end = tryWriteHstore(body, bytes, 7)
  expect(bytes.subarray(0, 7)).toEqual(Buffer.alloc(7))
  return Buffer.from(bytes.subarray(7, end))
}

const splitBody = (body: Body): Buffer => Buffer.concat([...splitHstore(body).pieces])

/** What `hstore_recv` reads, printed by the server. */
async function readOnServer(binary: readonly Buffer[]): Promise<string[]> {
  const results: string[] = []
  for (const value of binary) results.push(await readOne(value))
  return results
}

async function readOne(value: Buffer): Promise<string> {
  const { rows } = await client.query<{ result: string }>({
    name: 'read',
    text: 'select $1::hstore::text as result',
    values: [value],
  })
  return rows[0]?.result ?? 'none'
}

test('a server reads the binary form as the text form of the same body', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryBatch, async (bodies) => {
      const { rows } = await client.query<{ result: string }>(
        'select body::hstore::text as result from unnest($1::text[]) with ordinality t (body, n) order by n',
        [bodies.map(encodeHstore)],
      )
      expect(await readOnServer(bodies.map(writeBody))).toEqual(rows.map(({ result }) => result))
    }),
    { numRuns: 10 },
  )
})

test('the binary form in pieces is the one in one go', () => {
  fc.assert(
    fc.property(arbitraryBody, (body) => {
      const written = writeBody(body)
      expect(splitBody(body)).toEqual(written)
      expect(splitHstore(body).byteLength).toBe(written.length)
    }),
  )
})

test('long text in pieces does not cut a character', async () => {
  const body = { long: 'x' + '🏙️東é'.repeat(50_000), ascii: 'a'.repeat(200_000) }
  const { rows } = await client.query<{ result: string }>('select $1::hstore::text as result', [encodeHstore(body)])
  expect(await readOne(splitBody(body))).toBe(rows[0]?.result)
})

test('nothing is written past the bytes that there are', () => {
  fc.assert(
    fc.property(arbitraryBody, fc.nat(400), (body, room) => {
      const bytes = Buffer.alloc(room + 64)
      const end = tryWriteHstore(body, bytes.subarray(0, room), 0)
      expect(bytes.subarray(room)).toEqual(Buffer.alloc(64))
      if (end !== NO_ROOM) expect(bytes.subarray(0, end)).toEqual(splitBody(body))
    }),
  )
})

describe('what the text form refuses, the binary form refuses with the same words:', () => {
  const refused: Record<string, unknown> = {
    'no object': 'text',
    'an array': [],
    'a date': new Date(0),
    'a number as a value': { age: 5 },
    'no value': { age: undefined },
    'a symbol as a key': { [Symbol('s')]: 'x' },
    'NUL in a key': { 'a\0': 'x' },
    'NUL in a value': { a: 'x\0' },
    'NUL in a long value': { a: 'x'.repeat(100) + '\0' },
    'a lone surrogate in a key': { '\ud800': 'x' },
    'a lone surrogate in a value': { a: '\udc00' },
    'a lone surrogate in a long value': { a: 'x'.repeat(100) + '\ud83c' },
  }

  it.each(Object.entries(refused))('%s', (_what, value) => {
    const said = messageOf(() => encodeHstore(value as Body))
    expect(said).toMatch(/^(TypeError|RangeError): /)
    expect(messageOf(() => splitBody(value as Body))).toBe(said)
    expect(messageOf(() => tryWriteHstore(value as Body, Buffer.alloc(1_000), 0))).toBe(said)
  })

  it('too much text, but for how much it is: the text form counts its marks', () => {
    const [a, b] = ['x'.repeat(100_000_000), 'x'.repeat(80_000_000)]
    const words = 'body must have at most 170000000 characters as hstore text, got '
    expect(messageOf(() => encodeHstore({ a, b }))).toContain(words)
    expect(messageOf(() => splitBody({ a, b }))).toContain(words)
  })
})

function messageOf(work: () => unknown): string {
  try {
    work()
    return 'nothing thrown'
  } catch (error) {
    return String(error)
  }
}
