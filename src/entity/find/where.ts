import { assertParts, describeType } from '../../arguments/arguments.ts'
import type { Body } from '../../hstore/body.ts'
import { assertPair, assertStorableKey, assertStorableValue, listKeys } from '../../hstore/checks.ts'
import { encodeHstore } from '../../hstore/encode.ts'
import { nameValue } from '../../hstore/name.ts'

/** What the body of an entity must be like, in hstore's own terms. All that is given must hold. */
export interface Where {
  /** These keys have exactly these texts: `body -> 'name' = …`. Served by a btree index on each key. */
  readonly equals?: Readonly<Record<string, string>>
  /** This key is there, also with the value null: `body ? …`. Served by a gin index on the body, as all below. */
  readonly has?: string
  /** At least one of these keys is there: `body ?| …`; with none, nothing is found. */
  readonly hasAny?: readonly string[]
  /** Each of these keys is there: `body ?& …`. */
  readonly hasAll?: readonly string[]
  /** These pairs are there, null meaning null: `body @> …`. */
  readonly contains?: Body
}

/** A checked {@link Where}: one copy of what was given, so that nobody can change it on the way. */
export interface CheckedWhere {
  readonly equals: readonly (readonly [string, string])[]
  readonly has: string | undefined
  readonly hasAny: readonly string[] | undefined
  readonly hasAll: readonly string[]
  /** As hstore text; undefined when no pair is asked for. */
  readonly contains: string | undefined
}

const names: readonly string[] = ['equals', 'has', 'hasAny', 'hasAll', 'contains']

/** What asks for nothing. */
const anything: CheckedWhere = Object.freeze({
  equals: [],
  has: undefined,
  hasAny: undefined,
  hasAll: [],
  contains: undefined,
})

/** Checks a `where`; a TypeError or a RangeError names the part, never a value. */
export function checkWhere(where: unknown): CheckedWhere {
  if (where === undefined) return anything
  assertParts('where', where, names)
  const { equals, has, hasAny, hasAll, contains } = where as Record<keyof Where, unknown>
  return Object.freeze({
    equals: equals === undefined ? [] : checkEquals(equals),
    has: has === undefined ? undefined : checkKey('where.has', has),
    hasAny: hasAny === undefined ? undefined : checkKeys('where.hasAny', hasAny),
    hasAll: hasAll === undefined ? [] : checkKeys('where.hasAll', hasAll),
    contains: contains === undefined ? undefined : checkContains(contains),
  })
}

/** Tells whether any part of it looks into the body. */
export function looksIntoBody({ equals, has, hasAny, hasAll, contains }: CheckedWhere): boolean {
  const isAsked = has !== undefined || hasAny !== undefined || contains !== undefined
  return isAsked || equals.length > 0 || hasAll.length > 0
}

/** The keys in their order, so that the same set of fields is the same statement. */
function checkEquals(equals: unknown): (readonly [string, string])[] {
  return named('where.equals', () => {
    const fields = equals as Body
    return listKeys(fields)
      .map((key) => checkField(key, fields[key]))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  })
}

function checkField(key: string, value: unknown): readonly [string, string] {
  assertPair(key, value)
  if (value === null) throw new TypeError(`${nameValue(key)} must be a string, got null: to match null, use contains`)
  assertStorableKey(key)
  assertStorableValue(value, key)
  return [key, value]
}

function checkContains(contains: unknown): string | undefined {
  const text = named('where.contains', () => encodeHstore(contains as Body))
  return text === '' ? undefined : text
}

function checkKeys(name: string, keys: unknown): string[] {
  if (!Array.isArray(keys)) throw new TypeError(`${name} must be an array of keys, got ${describeType(keys)}`)
  return Array.from(keys, (key, index) => checkKey(`${name}[${index}]`, key))
}

function checkKey(name: string, key: unknown): string {
  if (typeof key !== 'string') throw new TypeError(`${name} must be a string, got ${describeType(key)}`)
  named(name, () => assertStorableKey(key))
  return key
}

function named<T>(name: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`
    throw error
  }
}
