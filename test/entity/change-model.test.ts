import fc from 'fast-check'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, type ConnectionEntry, type Key } from '../../src/index.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { createOriginalShards } from '../support/original-layout.ts'
import {
  arbitraryOperations,
  conditionFor,
  judge,
  PLACES,
  updateInModel,
  type ModelEntity,
  type ModelOperation,
} from './change-model.ts'

let databases: TestDatabases
let connections: ConnectionEntry[]

beforeAll(async () => {
  databases = await createDatabases(1)
  connections = [{ ...databases.connections[0], shards: '1-3' }]
  await provision(connections)
  const admin = new Client(databases.connections[0])
  await admin.connect()
  await createOriginalShards(admin, { first: 20, last: 20, withUpdated: false })
  await admin.end()
  connections.push({ ...databases.connections[0], shards: '20-21' })
})
afterAll(() => databases.drop())

/** Entities on a server, and what they should be. */
class Comparison {
  readonly #db: Datastore
  readonly #shardId: number
  readonly #keys: Key[] = []
  readonly #entities: (ModelEntity | undefined)[] = []

  constructor(db: Datastore, shardId: number) {
    this.#db = db
    this.#shardId = shardId
  }

  async fill(): Promise<void> {
    const bodies = Array.from({ length: PLACES }, () => ({}))
    this.#keys.push(...(await this.#db.putMany(this.#shardId, 1, bodies)))
    this.#entities.push(...bodies.map((body) => ({ kind: 1, body, updated: null })))
  }

  /** Begins an operation; what is returned waits for it and compares. */
  begin(operation: ModelOperation): () => Promise<void> {
    const { place } = operation
    const key = this.#keys[place] as Key
    const before = this.#entities[place]
    if (operation.verb === 'put') {
      const made = this.#db.put(this.#shardId, operation.kind, operation.body)
      return async () => {
        this.#keys[place] = await made
        this.#entities[place] = { kind: operation.kind, body: operation.body, updated: null }
      }
    }
    if (operation.verb === 'exists') return this.#expect(this.#db.exists(key), before !== undefined)
    if (operation.verb === 'get') return this.#expect(this.#db.get(key), before && { key, ...before })
    const condition = conditionFor(operation.condition, before)
    const status = judge(before, condition)
    const conflict = { status, current: { key, ...before } }
    if (operation.verb === 'delete') {
      const isPlain = Object.keys(condition).length === 0
      const outcome = this.#db.delete(key, condition as never) as Promise<unknown>
      if (status === 'changed') this.#entities[place] = undefined
      if (isPlain) return this.#expect(outcome, before !== undefined)
      return this.#expect(outcome, status === 'conflict' ? conflict : { status: before ? 'deleted' : 'missing' })
    }
    const outcome =
      operation.verb === 'update'
        ? this.#db.update(key, operation.change, condition)
        : this.#db.replace(key, operation.replacement, condition)
    if (status !== 'changed' || before === undefined) {
      return this.#expect(outcome, status === 'conflict' ? conflict : { status })
    }
    const after =
      operation.verb === 'update'
        ? updateInModel(before, operation.change)
        : { kind: operation.replacement.kind ?? before.kind, body: operation.replacement.body }
    return async () => {
      const changed = await outcome
      if (changed.status !== 'changed') throw new Error(`changed was to be, got ${changed.status}`)
      expect(changed.updated === null).toBe(this.#shardId === 20)
      if (changed.updated !== null) expect(changed.updated.getTime()).toBeGreaterThan(before.updated?.getTime() ?? 0)
      this.#entities[place] = { ...after, updated: changed.updated }
    }
  }

  async compareAll(): Promise<void> {
    const expected = this.#entities.map((entity, place) => entity && { key: this.#keys[place], ...entity })
    expect(await this.#db.getMany(this.#keys)).toEqual(expected)
  }

  #expect(outcome: Promise<unknown>, expected: unknown): () => Promise<void> {
    return async () => expect(await outcome).toEqual(expected)
  }
}

/** Cuts operations into rounds in which each place is named once: these do not depend on one another. */
function roundsOf(operations: readonly ModelOperation[]): ModelOperation[][] {
  const rounds: ModelOperation[][] = []
  const nextRound = new Array<number>(PLACES).fill(0)
  for (const operation of operations) {
    const round = nextRound[operation.place] ?? 0
    ;(rounds[round] ??= []).push(operation)
    nextRound[operation.place] = round + 1
  }
  return rounds
}

describe.each([
  ['in lanes', true],
  ['alone', false],
])('random operations, %s,', (_way, batch) => {
  it.each([
    ['a shard', 1],
    ['a shard without the column updated', 20],
  ])('at once on the entities of %s do what the model says', async (_layout, shardId) => {
    await using db = new Datastore({ connections, batch })
    await fc.assert(
      fc.asyncProperty(arbitraryOperations(shardId !== 20), async (operations) => {
        const comparison = new Comparison(db, shardId)
        await comparison.fill()
        for (const round of roundsOf(operations)) {
          const checks = round.map((operation) => comparison.begin(operation))
          for (const check of checks) await check()
        }
        await comparison.compareAll()
      }),
      { numRuns: 100 },
    )
  })
})

/** Adds a mark to an entity that others change as well, by reading it and changing it if it is still that. */
async function mark(db: Datastore, key: Key, name: string, by: 'time' | 'body'): Promise<void> {
  for (let entity = await db.get(key); ;) {
    if (entity === undefined) throw new Error('missing')
    const condition = by === 'time' ? { ifUpdatedAt: entity.updated } : { ifBody: entity.body }
    const n = String(Number(entity.body.n) + 1)
    const outcome = await db.replace(key, { body: { ...entity.body, n, [name]: n } }, condition)
    if (outcome.status === 'changed') return
    if (outcome.status === 'missing') throw new Error('missing')
    entity = outcome.current
  }
}

it('changes under a condition, at once by two datastores in both ways, are as if one after the other', async () => {
  await using one = new Datastore({ connections, batch: true })
  await using two = new Datastore({ connections, batch: false })
  const keys = await one.putMany(2, 1, [{ n: '0' }, { n: '0' }])
  const names = Array.from({ length: 24 }, (_, n) => `m${n}`)
  await Promise.all(
    keys.flatMap((key) =>
      names.map((name, n) => mark(n % 2 === 0 ? one : two, key, name, n % 3 === 0 ? 'body' : 'time')),
    ),
  )
  for (const entity of await one.getMany(keys)) {
    const { n, ...marks } = entity?.body ?? {}
    expect(n).toBe('24')
    expect(Object.keys(marks).sort()).toEqual([...names].sort())
    expect(
      Object.values(marks)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(names.map((_, at) => at + 1))
  }
})
