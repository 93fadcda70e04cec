import fc from 'fast-check'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  Datastore,
  DEFAULT_EPOCH_MS,
  encodeHstore,
  Key,
  type ConnectionEntry,
  type Entity,
  type FindQuery,
  type ScanOptions,
} from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { arbitraryEntities, arbitraryQuery, findInModel, type ModelEntity } from './find-model.ts'

const SHARDS = 64

let databases: TestDatabases
let connections: ConnectionEntry[]
let admins: Client[]

beforeAll(async () => {
  databases = await createDatabases(2)
  connections = databases.connections.map((connection, n) => ({ ...connection, shards: n === 0 ? '0-32' : '32-64' }))
  await provision(connections)
  admins = databases.connections.map((connection) => new Client(connection))
  await Promise.all(admins.map((admin) => admin.connect()))
})
afterAll(async () => {
  await Promise.all(admins.map((admin) => admin.end()))
  await databases.drop()
})

type Change =
  | { readonly verb: 'put'; readonly shardId: number; readonly kind: number; readonly n: number }
  | { readonly verb: 'insert'; readonly shardId: number; readonly entities: readonly ModelEntity[] }
  | { readonly verb: 'update' | 'delete'; readonly which: number; readonly n: number }

type Question =
  | { readonly verb: 'find'; readonly shardId: number; readonly query: FindQuery }
  /** Takes a page of each size, each in a scan of its own; after each of them something is changed. */
  | {
      readonly verb: 'scan'
      readonly query: Omit<FindQuery, 'limit'>
      readonly shards: readonly number[] | undefined
      readonly pages: readonly { readonly size: number; readonly change: Change }[]
    }

const shardId = fc.integer({ min: 0, max: SHARDS - 1 })
const n = fc.nat({ max: 1_000 })

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ verb: fc.constant('put' as const), shardId, kind: fc.integer({ min: 0, max: 2 }), n }),
  shardId.chain((shard) =>
    fc.record({
      verb: fc.constant('insert' as const),
      shardId: fc.constant(shard),
      entities: arbitraryEntities(shard),
    }),
  ),
  fc.record({ verb: fc.constantFrom('update' as const, 'delete' as const), which: n, n }),
)

const query = shardId.chain((shard) => arbitraryQuery(shard, DEFAULT_EPOCH_MS))

const question: fc.Arbitrary<Question> = fc.oneof(
  shardId.chain((shard) =>
    fc.record({
      verb: fc.constant('find' as const),
      shardId: fc.constant(shard),
      query: arbitraryQuery(shard, DEFAULT_EPOCH_MS),
    }),
  ),
  fc.record({
    verb: fc.constant('scan' as const),
    query: query.map(({ limit: _, ...rest }) => rest),
    shards: fc.option(fc.array(shardId, { minLength: 1, maxLength: 40 }), { nil: undefined, freq: 2 }),
    pages: fc.array(fc.record({ size: fc.integer({ min: 1, max: 40 }), change }), { minLength: 1, maxLength: 5 }),
  }),
)

const asModel = (entities: readonly Entity[]): ModelEntity[] =>
  entities.map(({ key, kind, body }) => ({ id: key.id, kind, body }))

/** Two datastores on the same servers, and what should be in them. */
class Comparison {
  readonly #stores: readonly Datastore[]
  readonly #model = new Map<bigint, ModelEntity>()
  #turn = 0

  constructor(stores: readonly Datastore[]) {
    this.#stores = stores
  }

  async change(step: Change): Promise<void> {
    if (step.verb === 'insert') return this.#insert(step.shardId, step.entities)
    if (step.verb === 'put') {
      const body = { name: String(step.n) }
      const { id } = await this.#db.put(step.shardId, step.kind, body)
      this.#model.set(id, { id, kind: step.kind, body })
      return
    }
    const entity = [...this.#model.values()][step.which % Math.max(1, this.#model.size)]
    if (entity === undefined) return
    const key = new Key(entity.id)
    if (step.verb === 'delete') {
      expect(await this.#db.delete(key)).toBe(this.#model.delete(entity.id))
    } else {
      const set = { b: String(step.n % 3) }
      expect((await this.#db.update(key, { set })).status).toBe('changed')
      this.#model.set(entity.id, { ...entity, body: { ...entity.body, ...set } })
    }
  }

  async ask(step: Question): Promise<void> {
    if (step.verb === 'scan') return this.#scan(step)
    const found = await this.#db.find(step.shardId, step.query)
    expect(asModel(found)).toEqual(this.#expected(step.query, [step.shardId]))
  }

  async #scan({ query, shards, pages }: Question & { verb: 'scan' }): Promise<void> {
    const options = { ...query, ...(shards && { shards }) }
    const place = { ...query }
    let after: ScanOptions = {}
    for (const { size: pageSize, change } of pages) {
      const { value: page } = await this.#db
        .scan({ ...options, ...after, pageSize })
        .pages()
        .next()
      const expected = this.#expected({ ...place, limit: Infinity }, shards)
      expect(asModel(page?.entities ?? [])).toEqual(expected.slice(0, pageSize))
      expect(page?.hasMore).toBe(expected.length > pageSize)
      const last = page?.entities.at(-1)
      if (last !== undefined) Object.assign(place, { after: last.key })
      if (page !== undefined) after = { after: page.cursor }
      await this.change(change)
    }
    const rest: Entity[] = []
    for await (const entity of this.#db.scan({ ...options, ...after })) rest.push(entity)
    expect(asModel(rest)).toEqual(this.#expected({ ...place, limit: Infinity }, shards))
    const { after: _, order: __, ...counted } = options
    expect((await this.#db.count(counted)).total).toBe(this.#expected({ ...counted, limit: Infinity }, shards).length)
  }

  #expected(query: FindQuery, shards: readonly number[] | undefined): ModelEntity[] {
    const isNamed = ({ id }: ModelEntity): boolean => shards === undefined || shards.includes(new Key(id).shardId)
    return findInModel([...this.#model.values()].filter(isNamed), query, DEFAULT_EPOCH_MS)
  }

  async #insert(shardId: number, entities: readonly ModelEntity[]): Promise<void> {
    const fresh = entities.filter(({ id }) => !this.#model.has(id))
    await admins[shardId < 32 ? 0 : 1]!.query(
      `insert into ${shardSchema(shardId)}.entities (id, type, body)
        select id, type, body::hstore from unnest($1::bigint[], $2::smallint[], $3::text[]) as new (id, type, body)`,
      [fresh.map(({ id }) => id), fresh.map(({ kind }) => kind), fresh.map(({ body }) => encodeHstore(body))],
    )
    for (const entity of fresh) this.#model.set(entity.id, entity)
  }

  get #db(): Datastore {
    this.#turn += 1
    return this.#stores[this.#turn % this.#stores.length]!
  }
}

it('puts, changes, finds, counts and scans that go on from cursors do what the model says', async () => {
  await using one = new Datastore({ connections })
  await using two = new Datastore({ connections, batch: false, prepare: false, poolMax: 2 })
  const comparison = new Comparison([one, two])
  const round = fc.record({
    changes: fc.array(change, { maxLength: 12 }),
    questions: fc.array(question, { maxLength: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(round, async ({ changes, questions }) => {
      for (const step of changes) await comparison.change(step)
      for (const step of questions) await comparison.ask(step)
    }),
    // What is stored stays, so that a round that fails cannot be made smaller.
    { numRuns: 40, endOnFailure: true },
  )
})
