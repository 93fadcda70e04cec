import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeHstore } from '../../src/hstore/decode.ts'
import { encodeHstore } from '../../src/hstore/encode.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { arbitraryBody, arbitraryText, bodyOf, sortedPairs } from './arbitrary-body.ts'

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

/** Several hundred bodies in one statement. */
const arbitraryBatch = fc.array(arbitraryBody, { minLength: 1, maxLength: 300, size: 'max' })
const batches = { numRuns: 10 }

const castEach = 'select body::hstore::text as result from unnest($1::text[]) with ordinality t (body, n) order by n'

test('what is encoded comes back from a server equal', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryBatch, async (bodies) => {
      const texts = await selectAll(castEach, [bodies.map(encodeHstore)])
      expect(texts.map((text) => sortedPairs(decodeHstore(text as string)))).toEqual(bodies.map(sortedPairs))
    }),
    batches,
  )
})

test('bodies sent as an array of hstore come back equal', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryBatch, async (bodies) => {
      const texts = await selectAll(
        'select body::text as result from unnest($1::hstore[]) with ordinality t (body, n) order by n',
        [bodies.map(encodeHstore)],
      )
      expect(texts.map((text) => sortedPairs(decodeHstore(text as string)))).toEqual(bodies.map(sortedPairs))
    }),
    batches,
  )
})

test('a server sees the keys and the values that were encoded', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryBatch, async (bodies) => {
      const lists = await selectAll(
        `select array[akeys(body), avals(body)] as result
         from (select body::hstore, n from unnest($1::text[]) with ordinality t (body, n)) b
         order by n`,
        [bodies.map(encodeHstore)],
      )
      expect(lists.map((list) => sortedPairs(bodyOf(zip(list as string[][]))))).toEqual(bodies.map(sortedPairs))
    }),
    batches,
  )
})

test('a server finds each value under its key', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryBody, async (body) => {
      const values = await selectAll('select $1::hstore -> key as result from unnest($2::text[]) key', [
        encodeHstore(body),
        Object.keys(body),
      ])
      expect(values).toEqual(Object.values(body))
    }),
    { numRuns: 200 },
  )
})

test('what a server makes of keys and values decodes equal', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryBody, async (body) => {
      const [text] = await selectAll('select hstore($1::text[], $2::text[])::text as result', [
        Object.keys(body),
        Object.values(body),
      ])
      expect(sortedPairs(decodeHstore(text as string))).toEqual(sortedPairs(body))
    }),
    { numRuns: 200 },
  )
})

test('a pair is encoded letter by letter as a server prints it', async () => {
  const pairs = fc.array(fc.tuple(arbitraryText, fc.option(arbitraryText)), {
    minLength: 1,
    maxLength: 300,
    size: 'max',
  })
  await fc.assert(
    fc.asyncProperty(pairs, async (entries) => {
      const texts = entries.map((entry) => encodeHstore(bodyOf([entry])))
      expect(await selectAll(castEach, [texts])).toEqual(texts)
    }),
    batches,
  )
})

async function selectAll(text: string, values: unknown[]): Promise<unknown[]> {
  const { rows } = await client.query<{ result: unknown }>(text, values)
  return rows.map((row) => row.result)
}

function zip([keys, values]: string[][]): [string, string | null][] {
  return (keys ?? []).map((key, at) => [key, values?.[at] ?? null])
}
