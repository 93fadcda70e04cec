import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, isHypervaultError, type Body, type Key, type RefusedRow } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let db: Datastore

/** Shards 1 to 3, in which no two entities have the same `n`. */
beforeAll(async () => {
  databases = await createDatabases(1)
  const connections = databases.connections.map((connection) => ({ ...connection, shards: '1-4' }))
  await provision(connections)
  db = new Datastore({ connections })
  await db.createIndex({ on: { field: 'n' }, unique: true })
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

const shardOf = (_body: Body, row: number): number => (row % 3) + 1

describe('rows that a server refuses', () => {
  it('are told, and all others are stored, with their keys in order', async () => {
    // Row 3 k + 2 has what its shard has in row 3 k - 1; so has each row of the second half.
    const bodies = Array.from({ length: 3_000 }, (_, row) => ({
      n: String(row < 1_500 ? row : row - 1_500),
      row: String(row),
    }))
    const refused: RefusedRow[] = []
    const keys: Key[] = []
    const options = { shardOf, batchRows: 400, windowRows: 800, onRefused: (row: RefusedRow) => void refused.push(row) }
    for await (const key of db.load((_, row) => row % 5, bodies, options)) keys.push(key)
    expect(refused.map(({ row }) => row).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 1_500 }, (_, index) => 1_500 + index),
    )
    expect(refused.every(({ row, shardId, error }) => shardOf({}, row) === shardId && isUnique(error))).toBe(true)
    expect(refused.every(({ row, body }) => body.row === String(row))).toBe(true)
    const entities = await db.getMany(keys)
    expect(entities.map((entity) => [entity?.kind, entity?.body.row])).toEqual(
      Array.from({ length: 1_500 }, (_, row) => [row % 5, String(row)]),
    )
  })

  it('end the load when nobody wants to hear of them, or who hears of them throws', async () => {
    const bodies = [{ n: 'a' }, { n: 'b' }, { n: 'b' }, { n: 'c' }]
    const failure = async (options: object): Promise<unknown> =>
      db
        .load(1, bodies, { shardOf: () => 1, ...options })
        .finish()
        .catch((error: unknown) => error)
    const unheard = await failure({})
    if (!isHypervaultError(unheard, 'HV_LOAD_FAILED')) throw unheard
    expect(unheard.details).toMatchObject({ row: 2, stored: [] })
    const reason = new Error('enough')
    const onRefused = (): never => {
      throw reason
    }
    expect(await failure({ onRefused })).toMatchObject({ cause: reason })
  })

  it('are not those of a batch that fails for another reason', async () => {
    const refused: RefusedRow[] = []
    const load = db.load(1, [{ n: 'x' }], { shardOf: () => 9, onRefused: (row) => void refused.push(row) })
    await expect(load.finish()).rejects.toMatchObject({ cause: { code: 'HV_SHARD_UNKNOWN' } })
    expect(refused).toEqual([])
  })
})

function isUnique(error: unknown): boolean {
  return isHypervaultError(error, 'HV_STATEMENT_FAILED') && error.details.sqlstate === '23505'
}
