import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { areConsecutive, drawFewKeys, drawKeys, readDraw, readFewKeys } from '../../src/entity/rows/batch-keys.ts'
import { elapsedMsOf, packId, shardIdOf, DEFAULT_EPOCH_MS } from '../../src/key/layout.ts'
import { flooredNextIdSql, nextIdSql } from '../../src/key/next-id-sql.ts'
import type { TextRow } from '../../src/pool/text-rows.ts'
import { asText } from '../../src/pool/text-rows.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

const SHARD = 8191

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
  const { text, values } = drawKeys(SHARD, count)
  return readDraw(await run(text, values)).ids.slice(0, count)
}

/** Most of these keys in one millisecond. */
function peakOf(ids: readonly bigint[]): number {
  const counts = new Map<number, number>()
  for (const ms of ids.map(elapsedMsOf)) counts.set(ms, (counts.get(ms) ?? 0) + 1)
  return Math.max(...counts.values())
}

/** What the original made, which rounds half of its keys into the next millisecond. */
const ORIGINAL = `create or replace function shard8191.next_id(out result bigint) language plpgsql as $$
declare
  seq_id bigint;
  now_millis bigint;
begin
  select nextval('shard8191.table_id_seq') % 1024 into seq_id;
  select extract(epoch from clock_timestamp()) * 1000 into now_millis;
  result := (now_millis - ${DEFAULT_EPOCH_MS}) << 23;
  result := result | (8191 << 10);
  result := result | (seq_id);
end $$`

const elapsedNow = (): number => Date.now() - DEFAULT_EPOCH_MS

it.each([
  ['today', () => nextIdSql(SHARD, DEFAULT_EPOCH_MS)],
  ['the original', () => ORIGINAL],
  ['a floor in the past', () => flooredNextIdSql(SHARD, DEFAULT_EPOCH_MS, { ms: 1, number: 1n })],
])('keys are of the present, and leave room in each millisecond: %s', async (_name, functionSql) => {
  await run(functionSql())
  const before = elapsedNow()
  const ids = await draw(2_000)
  const times = ids.map(elapsedMsOf)
  expect(new Set(ids).size).toBe(2_000)
  expect(ids.every((id) => shardIdOf(id) === SHARD)).toBe(true)
  expect(Math.min(...times)).toBeGreaterThanOrEqual(before - 1)
  expect(Math.max(...times)).toBeLessThanOrEqual(elapsedNow() + 1)
  expect(peakOf(ids)).toBeLessThanOrEqual(384)
  await run(nextIdSql(SHARD, DEFAULT_EPOCH_MS))
})

it('a floor above the clock gives each key once', async () => {
  const number = BigInt((await run("select nextval('shard8191.table_id_seq')"))[0]?.[0] ?? '')
  const floor = { ms: elapsedNow() + 60_000, number: number + 1n }
  await run(flooredNextIdSql(SHARD, DEFAULT_EPOCH_MS, floor))
  const ids = [...(await draw(3_000)), ...(await draw(100))]
  const rows = await run('select shard8191.next_id() from generate_series(1, 2000)')
  expect(new Set([...ids.map(String), ...rows.map(([id]) => id)]).size).toBe(5_100)
  const times = ids.map((id) => elapsedMsOf(id) - floor.ms)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect([Math.min(...times), Math.max(...times)]).toEqual([0, 3])
  await run(nextIdSql(SHARD, DEFAULT_EPOCH_MS))
})

it('a few keys come ascending, with the number of their transaction, however bytes are written', async () => {
  const { text, values } = drawFewKeys(SHARD, 50)
  await run("set bytea_output = 'escape'")
  await run('begin')
  const { ids, transactionId } = readFewKeys((await run(text, values))[0])
  expect((await run('select pg_current_xact_id()'))[0]?.[0]).toBe(transactionId)
  await run('commit')
  expect(ids).toHaveLength(50)
  expect(ids).toEqual(ids.toSorted((a, b) => (a < b ? -1 : 1)))
})

it('keys of a time after 2048 are negative, as those that the server makes', async () => {
  await run(`create or replace function shard8191.next_id(out result bigint) language sql as $$
    select (2::bigint ^ 40)::bigint << 23 | (8191 << 10) | nextval('shard8191.table_id_seq') % 1024
  $$`)
  const ids = await draw(2)
  expect(ids.every((id) => id < 0n)).toBe(true)
  expect(ids.map(elapsedMsOf)).toEqual([2 ** 40, 2 ** 40])
  await run(nextIdSql(SHARD, DEFAULT_EPOCH_MS))
})

it('others who take keys between those of a draw are noticed', () => {
  expect(areConsecutive([1_021, 1_022, 1_023, 0, 1])).toBe(true)
  expect(areConsecutive([1_021, 1_022, 0])).toBe(false)
  expect(areConsecutive([])).toBe(true)
})

describe('a section of a draw', () => {
  const idOf = (elapsedMs: number, addedId: number): bigint => packId({ elapsedMs, shardId: SHARD, addedId })
  const rowOf = (first: bigint, last: bigint, ...rest: (string | null)[]): TextRow => [
    String(first),
    String(last),
    ...rest,
  ]

  it.each<[string, TextRow, number[], boolean]>([
    ['of nobody else', rowOf(idOf(7, 1_022), idOf(7, 1), '2', '{1023}'), [1_022, 1_023, 0, 1], true],
    [
      'with others',
      rowOf(idOf(7, 1_022), idOf(7, 3), '2', '{9007199254742015,9007199254742017}'),
      [1_022, 1_023, 1, 3],
      false,
    ],
    ['of two keys', rowOf(idOf(7, 1), idOf(7, 2), null, null), [1, 2], true],
    ['of three keys', rowOf(idOf(7, 1), idOf(7, 3), '1', '{1026}'), [1, 2, 3], true],
  ])('%s has keys of one millisecond', (_name, row, addedIds, isAlone) => {
    expect(readDraw([row])).toEqual({ ids: addedIds.map((addedId) => idOf(7, addedId)), isAlone })
  })

  it('in which a millisecond begins has the two keys whose time is known', () => {
    const ends = [idOf(7, 1), idOf(8, 4)] as const
    expect(readDraw([rowOf(...ends, '2', '{2}')])).toEqual({ ids: ends, isAlone: true })
  })
})
