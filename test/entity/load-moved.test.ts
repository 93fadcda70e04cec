import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datastore, type Body, type Key } from '../../src/index.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { raiseFenceSql } from '../../src/schema/fence-sql.ts'
import { provision } from '../../src/schema/provision.ts'
import { createFleet, type TestFleet } from '../support/fleet.ts'

/** Shards 1 and 2 are on `s1`, 3 and 4 on `s2`; `s3` is empty. */
let fleet: TestFleet

beforeEach(async () => {
  fleet = await createFleet()
})
afterEach(() => fleet[Symbol.asyncDispose]())

async function execute<R extends object>(server: number, sql: string): Promise<R[]> {
  const client = new Client(fleet.connections[server])
  await client.connect()
  const { rows } = await client.query<R>(sql)
  await client.end()
  return rows
}

const open = (): Promise<Datastore> =>
  Datastore.open({ catalog: { ...fleet.catalogConnection }, topologyPollMs: 60_000, poolBlockTimeoutMs: 3_000 })

const fence = (): Promise<object[]> =>
  execute(0, raiseFenceSql({ shardId: 1, target: 's3', epoch: 3 }, ['entities']).join(';\n'))

const place = (): Promise<unknown> =>
  fleet.catalog.change({ action: 'test', details: {} }, (session) =>
    session.read({ text: `update hypervault.placements set server_id = 's3' where shard_id = 1`, values: [] }),
  )

const numbersOf = async (server: number, shardId: number): Promise<number[]> => {
  const rows = await execute<{ n: number }>(server, `select (body -> 'n')::int as n from shard000${shardId}.entities`)
  return rows.map(({ n }) => n)
}

const COUNT = 3_000
const shardOf = (_body: Body, row: number): number => (row % 4) + 1

/** Rows; what happens at one of them is awaited before it is given. */
async function* rowsWith(at: number, happen: () => Promise<unknown>): AsyncGenerator<Body> {
  for (let n = 0; n < COUNT; n += 1) {
    if (n === at) await happen()
    yield { n: String(n) }
  }
}

describe('when a shard moves during a load', () => {
  it('its rows go where it lives, each once, and all keys come in order', async () => {
    await provision([{ ...(fleet.connections[2] as ServerConnection), shards: '1-2' }])
    await using db = await open()
    const move = async (): Promise<void> => {
      await fence()
      await place()
    }
    const keys: Key[] = []
    const load = db.load(1, rowsWith(1_000, move), { shardOf, batchRows: 100, windowRows: 500 })
    for await (const key of load) keys.push(key)
    expect(keys.map(({ shardId }) => shardId)).toEqual(Array.from({ length: COUNT }, (_, row) => shardOf({}, row)))
    const [before, after] = [await numbersOf(0, 1), await numbersOf(2, 1)]
    expect(after.length).toBeGreaterThan(0)
    const expected = Array.from({ length: COUNT / 4 }, (_, index) => index * 4)
    expect([...before, ...after].sort((a, b) => a - b)).toEqual(expected)
    expect(await numbersOf(1, 3)).toHaveLength(COUNT / 4)
  })

  it('and does not arrive in time, the load says which rows are stored', async () => {
    await using db = await open()
    const load = db.load(1, rowsWith(1_000, fence), { shardOf, batchRows: 100, windowRows: 500 })
    await expect(load.finish()).rejects.toMatchObject({
      code: 'HV_LOAD_FAILED',
      cause: { code: 'HV_SHARD_MOVED', details: { shardId: 1 } },
      details: { unknown: [] },
    })
    const stored = load.account().stored.reduce((sum, { first, end }) => sum + end - first, 0)
    const lists = await Promise.all([numbersOf(0, 1), numbersOf(0, 2), numbersOf(1, 3), numbersOf(1, 4)])
    expect(lists.flat()).toHaveLength(stored)
    expect(db.stats().every(({ lent }) => lent === 0)).toBe(true)
  })
})
