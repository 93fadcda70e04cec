import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { drawKeys, readDrawnKeys, withKeys } from '../../src/entity/batch-keys.ts'
import { addedIdOf, elapsedMsOf, shardIdOf } from '../../src/key/layout.ts'
import type { TextRow } from '../../src/pool/text-rows.ts'
import { asText } from '../../src/pool/text-rows.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let client: Client

beforeAll(async () => {
  databases = await createDatabases(1)
  await provision(databases.connections.map((connection) => ({ ...connection, shards: '8191-8192' })))
  client = new Client(databases.connections[0])
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await databases.drop()
})

async function run(text: string, values: readonly unknown[] = []): Promise<TextRow[]> {
  const { rows } = await client.query({ text, values: [...values], rowMode: 'array', types: asText })
  return rows
}

async function draw(count: number): Promise<bigint[]> {
  const { text, values } = drawKeys(8191, count)
  return readDrawnKeys(8191, count, (await run(text, values))[0]).ids
}

const sequenceOf = (ids: readonly bigint[]): number[] => ids.map(addedIdOf)

it('keys that are drawn are distinct, ascending, of their shard, and at most 1024 of one millisecond', async () => {
  for (const count of [1, 2, 1024, 1025, 5_000]) {
    const ids = await draw(count)
    expect(ids).toHaveLength(count)
    expect(new Set(ids).size).toBe(count)
    expect(ids.every((id) => shardIdOf(id) === 8191)).toBe(true)
    const first = elapsedMsOf(ids[0] ?? 0n)
    expect(ids.map((id) => elapsedMsOf(id) - first)).toEqual(ids.map((_, index) => Math.floor(index / 1024)))
  }
})

it('keys that are drawn go on where the sequence was', async () => {
  await run('alter sequence shard8191.table_id_seq restart with 1000')
  expect(sequenceOf(await draw(30))).toEqual(Array.from({ length: 30 }, (_, index) => (1_000 + index) % 1024))
  const { rows } = await client.query<{ next: string }>("select nextval('shard8191.table_id_seq') as next")
  // One number was for the time of the server, which only `next_id()` tells.
  expect(rows[0]?.next).toBe('1031')
})

it('numbers that others drew in between are not used', () => {
  const numbers = [1_020, 1_021, 1_024, 1_025, 2_050]
  const row = ['1020', '5', '77', `{${numbers.join(',')}}`]
  const { ids, transactionId } = readDrawnKeys(3, 5, row)
  expect(transactionId).toBe('77')
  expect(sequenceOf(ids)).toEqual(numbers.map((number) => number % 1024))
  expect(ids.map(elapsedMsOf)).toEqual([5, 5, 5, 5, 6])
})

it('a server sends the numbers only when others drew in between', async () => {
  const { text } = drawKeys(8191, 3)
  expect((await run(text, ['3']))[0]?.[3]).toBeNull()
  await run('alter sequence shard8191.table_id_seq increment 2')
  try {
    const [row] = await run(text, ['3'])
    const start = Number(row?.[0])
    expect(row?.[3]).toBe(`{${[start, start + 2, start + 4].join(',')}}`)
  } finally {
    await run('alter sequence shard8191.table_id_seq increment 1')
  }
})

it('keys of a time after 2048 are negative, as those that the server makes', async () => {
  const ms = 2 ** 40
  const { ids } = readDrawnKeys(9, 2, ['1023', String(ms - 2 ** 41), '77', null])
  expect(ids.every((id) => id < 0n)).toBe(true)
  expect(ids.map(elapsedMsOf)).toEqual([ms, ms])
  const [row] = await run('select (($1::bigint << 23) | (9 << 10) | 1023)::text', [String(ms)])
  expect(String(ids[0])).toBe(row?.[0])
})

it('are made in SQL by the same rule', async () => {
  await run('alter sequence shard8191.table_id_seq restart with 2000')
  const with_ = withKeys({ shardId: 8191, from: 'generate_series(1, 2100) as given (place)', columns: 'place' })
  const rows = await run(`${with_} select id from keyed order by place`)
  const ids = rows.map(([id]) => BigInt(id ?? ''))
  const ms = elapsedMsOf(ids[0] ?? 0n)
  expect(readDrawnKeys(8191, 2_100, ['2000', String(ms), '1', null]).ids).toEqual(ids)
})
