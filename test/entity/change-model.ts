import fc from 'fast-check'
import type { Body, Change, ChangeCondition, ChangeOutcome, DeleteOutcome, Replacement } from '../../src/index.ts'
import { bodyOf } from '../hstore/arbitrary-body.ts'

/** What is done to the entity in a place: there are a few places, so that operations meet. */
export type ModelOperation = { readonly place: number } & (
  | { readonly verb: 'put'; readonly kind: number; readonly body: Body }
  | { readonly verb: 'update'; readonly change: Change; readonly condition: ModelCondition }
  | { readonly verb: 'replace'; readonly replacement: Replacement; readonly condition: ModelCondition }
  | { readonly verb: 'delete'; readonly condition: ModelCondition }
  | { readonly verb: 'exists' }
  | { readonly verb: 'get' }
)

/** A condition before it is known what the entity is: true, a little wrong, or none. */
export interface ModelCondition {
  readonly time?: 'current' | 'stale' | 'never'
  readonly body?: 'current' | 'other'
  readonly kind?: number
}

/** An entity as the model knows it. */
export interface ModelEntity {
  readonly kind: number
  readonly body: Body
  readonly updated: Date | null
}

export const PLACES = 6

const field = fc.constantFrom('a', 'b', '', "it's", 'x\\y', '"q"', '__proto__', 'naïve 東')
const text = fc.option(fc.constantFrom('1', '', "o'b", 'a\\b', '"', 'NULL', '東'))
const body = fc
  .uniqueArray(fc.tuple(field, text), { selector: ([name]) => name, maxLength: 4 })
  .map((pairs) => bodyOf(pairs))
const kind = fc.constantFrom(-32_768, 0, 1, 32_767)
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

const change: fc.Arbitrary<Change> = fc
  .record({ set: maybe(body), unset: maybe(fc.uniqueArray(field, { maxLength: 3 })), kind: maybe(kind) })
  .map(({ set = {}, unset, kind }) => ({ set, unset: unset?.filter((key) => !Object.hasOwn(set, key)), kind }))

function condition(hasUpdated: boolean): fc.Arbitrary<ModelCondition> {
  const time = hasUpdated
    ? fc.constantFrom('current' as const, 'stale' as const, 'never' as const)
    : fc.constant(undefined)
  return fc
    .record({
      time: maybe(time),
      body: maybe(fc.constantFrom('current' as const, 'current' as const, 'other' as const)),
      kind: maybe(kind),
    })
    .map((parts) => Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)))
}

/** Operations on the entities of a shard. */
export function arbitraryOperations(hasUpdated: boolean): fc.Arbitrary<ModelOperation[]> {
  const place = fc.integer({ min: 0, max: PLACES - 1 })
  const under = condition(hasUpdated)
  const operation = fc.oneof(
    { weight: 2, arbitrary: fc.record({ place, verb: fc.constant('put' as const), kind, body }) },
    { weight: 6, arbitrary: fc.record({ place, verb: fc.constant('update' as const), change, condition: under }) },
    {
      weight: 3,
      arbitrary: fc.record({
        place,
        verb: fc.constant('replace' as const),
        replacement: fc.record({ body, kind: maybe(kind) }),
        condition: under,
      }),
    },
    { weight: 2, arbitrary: fc.record({ place, verb: fc.constant('delete' as const), condition: under }) },
    { weight: 1, arbitrary: fc.record({ place, verb: fc.constant('exists' as const) }) },
    { weight: 1, arbitrary: fc.record({ place, verb: fc.constant('get' as const) }) },
  )
  return fc.array(operation, { minLength: 1, maxLength: 40 })
}

/** The condition that is sent, for the entity as it is thought to be. */
export function conditionFor({ time, body, kind }: ModelCondition, entity: ModelEntity | undefined): ChangeCondition {
  const times = {
    current: entity?.updated ?? null,
    stale: new Date((entity?.updated?.getTime() ?? 1_400_000_000_000) - 1),
    never: null,
  }
  const bodies = { current: entity?.body ?? {}, other: { ...entity?.body, other: 'x' } }
  return {
    ...(time && { ifUpdatedAt: times[time] }),
    ...(body && { ifBody: bodies[body] }),
    ...(kind !== undefined && { ifKind: kind }),
  }
}

/** What a change is to come to: the status, and the entity afterwards, but for its time. */
export function judge(
  entity: ModelEntity | undefined,
  { ifUpdatedAt, ifBody, ifKind }: ChangeCondition,
): (ChangeOutcome | DeleteOutcome)['status'] {
  if (entity === undefined) return 'missing'
  const isTime = ifUpdatedAt === undefined || ifUpdatedAt?.getTime() === entity.updated?.getTime()
  const isKind = ifKind === undefined || ifKind === entity.kind
  return isTime && isKind && (ifBody === undefined || isSame(ifBody, entity.body)) ? 'changed' : 'conflict'
}

/** The entity after an update. */
export function updateInModel(
  entity: ModelEntity,
  { set = {}, unset = [], kind }: Change,
): Omit<ModelEntity, 'updated'> {
  const kept = Object.entries(entity.body).filter(([key]) => !unset.includes(key) && !Object.hasOwn(set, key))
  return { kind: kind ?? entity.kind, body: bodyOf([...kept, ...Object.entries(set)]) }
}

function isSame(a: Body, b: Body): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
}
