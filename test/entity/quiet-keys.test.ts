import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { drawDistinctKeys } from '../../src/entity/rows/key-drawer.ts'
import { drawQuietKeys, readQuietDraw, type QuietDraw } from '../../src/entity/rows/quiet-keys.ts'
import { DEFAULT_EPOCH_MS, elapsedMsOf, shardIdOf } from '../../src/key/layout.ts'
import { flooredNextIdSql, nextIdSql } from '../../src/key/next-id-sql.ts'
import { asText, type TextRow } from '../../src/pool/text-rows.ts'
import { provision } from '../../src/schema/provision.ts'
import type { ShardSession } from '../../src/shard/shard-session.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { until } from '../support/until.ts'

const SHARD = 8191

let databases: TestDatabases
let client: Client
let other: Client

beforeAll(async () => {
  databases = await createDatabases(1)
  await provision(databases.connections.map((connection) => ({ ...connection, shards: '8191-8192' })))
  client = new Client(databases.connections[0])
  other = new Client(databases.connections[0])
  await Promise.all([client.connect(), other.connect()])
})
afterAll(async () => {
  await Promise.all([client.end(), other.end()])
  await databases.drop()
})
beforeEach(() => run(nextIdSql(SHARD, DEFAULT_EPOCH_MS)))

async function run(text: string): Promise<TextRow[]> {
  return (await client.query({ text, values: [], rowMode: 'array', types: asText })).rows
}

async function draw(count: number): Promise<QuietDraw> {
  return readQuietDraw(await run(drawQuietKeys(SHARD, count).text), count)
}

const elapsedNow = (): number => Date.now() - DEFAULT_EPOCH_MS

/** How many of these keys are in each millisecond, in its order. */
function countByMs(ids: readonly bigint[]): number[] {
  const counts = new Map<number, number>()
  for (const ms of ids.map(elapsedMsOf)) counts.set(ms, (counts.get(ms) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => a - b).map(([, count]) => count)
}

/** A `next_id()` with this expression in the place of the milliseconds of the clock. */
const withClock = (ms: string): string =>
  nextIdSql(SHARD, DEFAULT_EPOCH_MS).replace('floor(extract(epoch from clock_timestamp()) * 1000)::bigint', `(${ms})`)

const original = `create or replace function shard8191.next_id(out result bigint) language plpgsql as $$
begin
  result := ((extract(epoch from clock_timestamp()) * 1000)::bigint - ${DEFAULT_EPOCH_MS}) << 23
    | (8191 << 10) | nextval('shard8191.table_id_seq') % 1024;
end $$`

describe('keys that are drawn while nobody else takes any', () => {
  it.each([3, 4, 384, 385, 386, 1_409, 1_410, 5_000, 10_000])(
    'are of the present, and leave room in the millisecond that is not over: %i',
    async (count) => {
      const before = elapsedNow()
      const { ids, isWhole } = await draw(count)
      const after = elapsedNow()
      expect(isWhole).toBe(true)
      expect(new Set(ids).size).toBe(count)
      expect(ids.every((id) => shardIdOf(id) === SHARD)).toBe(true)
      const times = ids.map(elapsedMsOf)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      expect([Math.min(...times) >= before - 1, Math.max(...times) <= after + 1]).toEqual([true, true])
      const counts = countByMs(ids)
      expect(counts.at(-1)).toBeLessThanOrEqual(384)
      expect(Math.max(...counts)).toBeLessThanOrEqual(1_024)
      expect(counts[0]).toBe(1)
    },
  )

  it('are none that anybody has taken before, or takes after', async () => {
    const taken: string[] = []
    const ids: string[] = []
    for (let round = 0; round < 20; round += 1) {
      taken.push(...(await run('select shard8191.next_id() from generate_series(1, 400)')).map(([id]) => id ?? ''))
      const drawn = await draw(2_000)
      expect(drawn.isWhole).toBe(true)
      ids.push(...drawn.ids.map(String))
    }
    expect(new Set([...taken, ...ids]).size).toBe(20 * 2_400)
  })

  it('come from the function of the original, too, and after 2048', async () => {
    await run(original)
    expect((await draw(5_000)).isWhole).toBe(true)
    await run(withClock("floor(extract(epoch from clock_timestamp() + interval '40 years') * 1000)::bigint"))
    const { ids, isWhole } = await draw(5_000)
    expect([isWhole, new Set(ids).size, ids.every((id) => id < 0n)]).toEqual([true, 5_000, true])
  })
})

/** What makes a draw one of which only the ends can be used. */
const disturbed: Readonly<Record<string, () => Promise<unknown>>> = {
  'a floor above the clock': async () => {
    const [[number] = []] = await run("select nextval('shard8191.table_id_seq')")
    return run(flooredNextIdSql(SHARD, DEFAULT_EPOCH_MS, { ms: elapsedNow() + 60_000, number: BigInt(number ?? 0) }))
  },
  'a clock that stands': () => run(withClock('1900000000000')),
  'a clock that goes back': () => run(withClock("1900000000000 - nextval('shard8191.table_id_seq')")),
  'a clock that is slow': () => run(withClock('floor(extract(epoch from clock_timestamp()) * 100)::bigint')),
  'a number that somebody takes in the draw': () =>
    run(withClock("1900000000000 + (select count(*) from (select nextval('shard8191.table_id_seq')) as hv_other)")),
}

describe('a draw', () => {
  it.each(Object.entries(disturbed))('gives its two ends only behind %s', async (_, disturb) => {
    await disturb()
    const { ids, isWhole } = await draw(2_000)
    expect([isWhole, ids.length]).toEqual([false, 2])
  })

  it.each<[where: string, text: RegExp, waiting: string]>([
    ['while it sleeps', /pg_sleep\([^)]*\)/, 'pg_advisory_xact_lock(77)'],
    [
      'between its numbers',
      /from generate_series.*/,
      'from generate_series(1, 9998) as hv_n, lateral (select case hv_n when 50 then pg_advisory_xact_lock(77) end) as hv_wait',
    ],
    [
      'before its end',
      /shard8191\.next_id\(\) as hv_last/,
      '(select shard8191.next_id() from pg_advisory_xact_lock(77)) as hv_last',
    ],
  ])('gives its two ends only when others take keys %s', async (_, part, waiting) => {
    const text = drawQuietKeys(SHARD, 10_000).text.replace(part, waiting)
    await other.query('select pg_advisory_lock(77)')
    const drawing = client.query({ text, values: [], rowMode: 'array', types: asText })
    const waits = "select from pg_locks where locktype = 'advisory' and objid = 77 and not granted"
    await until('the draw waits', async () => (await other.query(waits)).rows.length > 0)
    await other.query('select shard8191.next_id()')
    const since = Date.now()
    await until('there are milliseconds enough', () => Promise.resolve(Date.now() - since > 20))
    await other.query('select pg_advisory_unlock(77)')
    const { ids, isWhole } = readQuietDraw((await drawing).rows as TextRow[], 10_000)
    expect([isWhole, ids.length]).toEqual([false, 2])
  })

  it('is quiet as soon as a draw beside others has met none, and beside others again as soon as it meets some', async () => {
    const texts: string[] = []
    const site = { keyCollisions: 0, quietShards: new Set<number>() }
    const session = {
      serverId: 's1',
      shardId: SHARD,
      isInTransaction: false,
      run: ({ text }: { text: string }) => {
        texts.push(text.includes('recursive') ? 'beside' : 'quiet')
        return run(text)
      },
    } as unknown as ShardSession
    const drawAll = (count: number): Promise<bigint[]> => drawDistinctKeys(session, { count, site })
    const ids = [...(await drawAll(5_000)), ...(await drawAll(12_000))]
    await run(withClock('1900000000000'))
    await drawAll(300)
    await run(nextIdSql(SHARD, DEFAULT_EPOCH_MS))
    ids.push(...(await drawAll(300)))
    expect(texts).toEqual(['beside', 'quiet', 'quiet', 'quiet', 'beside', 'beside'])
    expect(new Set(ids).size).toBe(17_300)
    expect(site.keyCollisions).toBe(0)
  })
})
