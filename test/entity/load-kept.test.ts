import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  Datastore,
  isHypervaultError,
  Key,
  type BatchTicket,
  type Body,
  type LoadOptions,
  type RefusedRow,
} from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { withClient } from '../schema/servers.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(1)
  const connections = databases.connections.map((connection) => ({ ...connection, shards: '1-4' }))
  await provision(connections)
  db = new Datastore({ connections })
  await onServer('alter table shard0003.entities drop column updated')
})
beforeEach(() => onServer('truncate shard0001.entities, shard0002.entities, shard0003.entities'))
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

const onServer = (sql: string): Promise<unknown> => withClient(databases.connections[0], (client) => client.query(sql))

const keyOf = (n: number): Key =>
  Key.from({ created: new Date(Date.UTC(2024, 0, 1) + n), shardId: (n % 3) + 1, addedId: 7 })

const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** Stores rows under the keys of their numbers. */
async function load(numbers: readonly number[], options: Partial<LoadOptions> = {}): Promise<Key[]> {
  const bodies = numbers.map((n) => ({ n: String(n) }))
  const kept = (body: Body): Key => keyOf(Number(body.n))
  const keys: Key[] = []
  for await (const key of db.load(1, bodies, { shardOf: (body) => kept(body).shardId, keyOf: kept, ...options })) {
    keys.push(key)
  }
  return keys
}

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return work().catch((error: unknown) => error)
}

describe('a load of rows that keep their keys', () => {
  it('stores each under its key, with the time of its last change where there is a column for it', async () => {
    const updated = new Date(Date.UTC(2025, 1, 3, 4, 5, 6, 789))
    const numbers = numbersTo(3_000)
    const updatedOf = (_: Body, row: number): Date | null => (row % 2 === 0 ? updated : null)
    const keys = await load(numbers, { updatedOf, batchRows: 400 })
    expect(keys.map(String)).toEqual(numbers.map((n) => String(keyOf(n))))
    const entities = await db.getMany(keys)
    expect(entities.map((entity) => [entity?.body.n, entity?.updated])).toEqual(
      numbers.map((n) => [String(n), n % 2 === 0 && n % 3 !== 2 ? updated : null]),
    )
  })

  it('holds keys with a sign as well', async () => {
    const key = Key.from({ created: new Date(Date.UTC(2060, 0, 1)), shardId: 2, addedId: 1023 })
    expect(key.id).toBeLessThan(0n)
    await db.load(1, [{ a: 'b' }], { shardOf: () => 2, keyOf: () => key }).finish()
    expect(await db.get(key)).toMatchObject({ body: { a: 'b' } })
  })

  it('overwrites nothing: it ends, and nothing of the batch is stored', async () => {
    await load([1, 4])
    await db.update(keyOf(4), { set: { n: 'changed' } })
    const failure = await failureOf(() => load([7, 4, 10]))
    if (!isHypervaultError(failure, 'HV_LOAD_FAILED')) throw failure
    const { cause } = failure
    expect(cause).toMatchObject({ code: 'HV_KEY_TAKEN', details: { shardId: 2, keys: [String(keyOf(4))] } })
    expect(failure.details).toMatchObject({ stored: [], notStored: [{ first: 0, end: 3 }] })
    expect(await db.get(keyOf(4))).toMatchObject({ body: { n: 'changed' } })
    expect(await db.exists(keyOf(7))).toBe(false)
  })

  it('goes on without rows whose keys are there, or come twice, when somebody hears of them', async () => {
    await load(numbersTo(500))
    const refused: RefusedRow[] = []
    const numbers = [...numbersTo(1_000), 990, 999]
    const keys = await load(numbers, { batchRows: 300, onRefused: (row) => void refused.push(row) })
    expect(keys.map(String)).toEqual(numbersTo(500).map((n) => String(keyOf(n + 500))))
    expect(refused.map(({ row }) => row).toSorted((a, b) => a - b)).toEqual([...numbersTo(500), 1_000, 1_001])
    expect(
      refused.every(
        ({ row, body, shardId }) => body.n === String(numbers[row]) && shardId === (Number(body.n) % 3) + 1,
      ),
    ).toBe(true)
    expect((await db.count()).total).toBe(1_000)
  })

  it('tells of a batch that was cut off whether it is stored, also when its first key was there before', async () => {
    await load([0])
    const tickets: BatchTicket[] = []
    const beforeCommit = ({ ticket }: { ticket: BatchTicket }): never => {
      tickets.push(ticket)
      throw new Error('no')
    }
    await failureOf(() => load([0, 3], { beforeCommit }))
    expect(tickets).toEqual([])
    await failureOf(() => load([3, 6], { beforeCommit }))
    expect(await db.findBatchEnd(tickets[0] as BatchTicket)).toBe('aborted')
    await load([3, 6], { beforeCommit: ({ ticket }) => void tickets.push(ticket) })
    expect(await db.findBatchEnd(tickets[1] as BatchTicket)).toBe('committed')
  })

  it.each([
    ['a key of another shard', { keyOf: () => keyOf(1) }, 'keyOf returned a key of shard 2, but shardOf returned 1'],
    ['a number', { keyOf: () => 5 as never }, 'load takes a Key, got number'],
    ['no time', { updatedOf: () => '2024' as never }, 'updatedOf must return a valid Date or null, got string'],
    ['an invalid time', { updatedOf: () => new Date(NaN) }, 'updatedOf must return a valid Date or null'],
  ] as const)('ends at a row with %s', async (_what, options, message) => {
    const failure = await failureOf(() => load([0], { shardOf: () => 1, ...options }))
    expect(failure).toMatchObject({ code: 'HV_LOAD_FAILED', details: { row: 0, stored: [] } })
    expect((failure as Error).cause).toMatchObject({ message: expect.stringContaining(message) as string })
  })

  it('is refused at the call without a function for the keys', () => {
    expect(() => db.load(1, [], { shardOf: () => 1, keyOf: keyOf(1) as never })).toThrow('keyOf must be a function')
    expect(() => db.load(1, [], { shardOf: () => 1, updatedOf: () => null })).toThrow('updatedOf requires keyOf')
  })
})
