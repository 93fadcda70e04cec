import fc from 'fast-check'
import type { Body, FindQuery, Where } from '../../src/index.ts'
import { Key } from '../../src/index.ts'
import { bodyOf } from '../hstore/arbitrary-body.ts'

/** An entity as the model knows it. */
export interface ModelEntity {
  readonly id: bigint
  readonly kind: number
  readonly body: Body
}

/** Few of each, so that queries meet entities; and such as SQL, hstore and JavaScript stumble over. */
const fields = ['name', 'b', '', "it's", 'x\\y', '"q"', '$1', '__proto__', 'naïve 東', "';--"]
const texts = ['1', '2', '', "o'b", 'a\\b', '"', 'NULL', '東']

const field = fc.constantFrom(...fields)
const text = fc.constantFrom(...texts)
const kind = fc.constantFrom(-32_768, -1, 0, 1, 2, 32_767)

const DAY_MS = 86_400_000

/** Milliseconds after the epoch of the keys: on both sides of where ids turn negative, and at the ends. */
const elapsedMs = fc.oneof(
  fc.constantFrom(0, 1, 2 ** 40 - 1, 2 ** 40, 2 ** 40 + 1, 2 ** 41 - 1),
  fc.integer({ min: 0, max: 20 }).map((days) => 2 ** 40 + (days - 10) * DAY_MS),
)

function pairs<T>(value: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<[string, T][]> {
  return fc.uniqueArray(fc.tuple(field, value), { selector: ([name]) => name, maxLength })
}

/** The number of an id in a shard, with the default epoch. */
export function idAt(shardId: number, ms: number, addedId: number): bigint {
  return BigInt.asIntN(64, (BigInt(ms) << 23n) | (BigInt(shardId) << 10n) | BigInt(addedId))
}

/** Entities of a shard. */
export function arbitraryEntities(shardId: number): fc.Arbitrary<ModelEntity[]> {
  const body = pairs(fc.option(text), 4).map(bodyOf)
  const id = fc.tuple(elapsedMs, fc.integer({ min: 0, max: 3 })).map(([ms, added]) => idAt(shardId, ms, added))
  return fc.uniqueArray(fc.record({ id, kind, body }), { selector: (entity) => entity.id, maxLength: 25 })
}

const where: fc.Arbitrary<Where> = fc.record(
  {
    equals: pairs(text, 2).map((entries) => bodyOf(entries) as Record<string, string>),
    has: field,
    hasAny: fc.array(field, { maxLength: 3 }),
    hasAll: fc.array(field, { maxLength: 2 }),
    contains: pairs(fc.option(text), 2).map(bodyOf),
  },
  { requiredKeys: [] },
)

/** A query, mostly of few parts. */
export function arbitraryQuery(shardId: number, epochMs: number): fc.Arbitrary<FindQuery> {
  const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
  const time = elapsedMs.map((ms) => new Date(epochMs + ms))
  const after = fc
    .tuple(elapsedMs, fc.integer({ min: 0, max: 3 }))
    .map(([ms, added]) => new Key(idAt(shardId, ms, added)))
  const times = rarely(fc.tuple(time, time).map((both) => both.sort((a, b) => a.getTime() - b.getTime())))
  return fc
    .record({
      kind: rarely(kind),
      where: rarely(where),
      order: rarely(fc.constantFrom('asc' as const, 'desc' as const)),
      limit: rarely(fc.integer({ min: 1, max: 6 })),
      after: rarely(after),
      times,
      isOpen: fc.boolean(),
    })
    .map(({ times, isOpen, ...query }) => {
      const [createdAfter, createdBefore] = times ?? []
      const parts = { ...query, createdAfter, createdBefore: isOpen ? undefined : createdBefore }
      return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined))
    })
}

/** What a find is to give: the filter in memory. */
export function findInModel(entities: readonly ModelEntity[], query: FindQuery, epochMs: number): ModelEntity[] {
  const place = ({ id }: { id: bigint }): bigint => BigInt.asUintN(64, id)
  const sign = query.order === 'desc' ? -1n : 1n
  const isBehind = (entity: ModelEntity): boolean =>
    query.after === undefined || (place(entity) - place(query.after)) * sign > 0n
  const createdMs = (entity: ModelEntity): number => epochMs + Number(place(entity) >> 23n)
  const { createdAfter, createdBefore, limit = 100 } = query
  return entities
    .filter((entity) => query.kind === undefined || entity.kind === query.kind)
    .filter((entity) => createdAfter === undefined || createdMs(entity) >= createdAfter.getTime())
    .filter((entity) => createdBefore === undefined || createdMs(entity) < createdBefore.getTime())
    .filter((entity) => isBehind(entity) && isLike(entity.body, query.where ?? {}))
    .sort((a, b) => Number(BigInt.asIntN(64, (place(a) - place(b)) * sign > 0n ? 1n : -1n)))
    .slice(0, limit)
}

function isLike(body: Body, { equals = {}, has, hasAny, hasAll = [], contains = {} }: Where): boolean {
  const isThere = (name: string): boolean => Object.hasOwn(body, name)
  return (
    Object.entries(equals).every(([name, value]) => isThere(name) && body[name] === value) &&
    (has === undefined || isThere(has)) &&
    (hasAny === undefined || hasAny.some(isThere)) &&
    hasAll.every(isThere) &&
    Object.entries(contains).every(([name, value]) => isThere(name) && body[name] === value)
  )
}
