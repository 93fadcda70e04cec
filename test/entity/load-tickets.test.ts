import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Datastore,
  isHypervaultError,
  Key,
  type Body,
  type CommitEnd,
  type ConnectionEntry,
  type LoadBatch,
} from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'

let databases: TestDatabases
let db: Datastore

/** Shards 1 and 2 on the first server, 3 and 4 on the second. */
beforeAll(async () => {
  databases = await createDatabases(2)
  const connections: ConnectionEntry[] = databases.connections.map((connection, index) => ({
    ...connection,
    shards: index === 0 ? '1-3' : '3-5',
  }))
  await provision(connections)
  db = new Datastore({ connections })
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

const shardOf = (_body: Body, row: number): number => (row % 4) + 1

function* rowsTo(count: number): Generator<Body> {
  for (let n = 0; n < count; n += 1) yield { n: String(n) }
}

const firstKeyOf = ({ ticket }: LoadBatch): Key => new Key(ticket.key)

describe('the batches of a load', () => {
  it('are told before their commit and once they are stored, those of a shard in the order of its rows', async () => {
    const told: LoadBatch[] = []
    const stored: LoadBatch[] = []
    const beforeCommit = async (batch: LoadBatch): Promise<void> => {
      expect(await db.exists(firstKeyOf(batch))).toBe(false)
      told.push(JSON.parse(JSON.stringify(batch)) as LoadBatch)
    }
    const options = { shardOf, batchRows: 100, beforeCommit, onStored: (batch: LoadBatch) => void stored.push(batch) }
    await db.load(1, rowsTo(3_000), options).finish()
    const byKey = (a: LoadBatch, b: LoadBatch): number => Key.compare(firstKeyOf(a), firstKeyOf(b))
    expect(stored.toSorted(byKey)).toEqual(told.toSorted(byKey))
    for (const shardId of [1, 2, 3, 4]) {
      const rows = told.filter(({ ticket }) => ticket.shardId === shardId).flatMap((batch) => batch.rows)
      expect(rows).toEqual(Array.from({ length: 750 }, (_, index) => index * 4 + shardId - 1))
    }
    const ends = await Promise.all(told.map(({ ticket }) => db.findBatchEnd(ticket)))
    expect(new Set(ends)).toEqual(new Set(['committed']))
  })

  it('are not stored when who keeps a journal cannot write, and can be looked up', async () => {
    const full = new Error('no space left on device')
    const told: LoadBatch[] = []
    const beforeCommit = (batch: LoadBatch): void => {
      told.push(batch)
      if (batch.ticket.shardId === 2) throw full
    }
    const failure: unknown = await db
      .load(1, rowsTo(400), { shardOf: (_body, row) => (row < 200 ? 1 : 2), batchRows: 50, beforeCommit })
      .finish()
      .catch((error: unknown) => error)
    if (!isHypervaultError(failure, 'HV_LOAD_FAILED')) throw failure
    expect(failure.cause).toBe(full)
    const ends = await Promise.all(told.map(({ ticket }) => db.findBatchEnd(ticket)))
    const stored = told.filter((_, index) => ends[index] === 'committed').flatMap(({ rows }) => rows)
    expect(stored).toEqual(failure.details.stored.flatMap(({ first, end }) => range(first, end)))
    expect(ends[told.findIndex(({ ticket }) => ticket.shardId === 2)]).toBe('aborted')
  })

  it.each([
    ['on its server', {}],
    ['on the server that its shard has moved to', { serverId: 'another' }],
  ])('are waited for while they are under way: %s', async (_where, changes) => {
    let end: Promise<CommitEnd> | undefined
    const beforeCommit = ({ ticket }: LoadBatch): void => void (end = db.findBatchEnd({ ...ticket, ...changes }))
    await db.load(1, rowsTo(1), { shardOf: () => 3, beforeCommit }).finish()
    expect(await end).toBe('committed')
  })

  it('are not known when their first row was deleted since, but on another server they are not there', async () => {
    let batch: LoadBatch | undefined
    await db.load(1, rowsTo(2), { shardOf: () => 3, onStored: (stored) => void (batch = stored) }).finish()
    if (batch === undefined) throw new Error('no batch was stored')
    await db.delete(firstKeyOf(batch))
    expect(await db.findBatchEnd(batch.ticket)).toBe('unknown')
    expect(await db.findBatchEnd({ ...batch.ticket, serverId: 'another' })).toBe('aborted')
  })

  it.each([undefined, 'ticket', { serverId: 's1', shardId: 1, transactionId: 'x', key: '1' }])(
    'are not looked up by what is no ticket: %j',
    async (ticket) => {
      await expect(db.findBatchEnd(ticket as never)).rejects.toThrow(TypeError)
    },
  )
})

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}
