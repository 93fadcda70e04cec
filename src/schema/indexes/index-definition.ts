import { assertBoolean, assertParts, describeType } from '../../arguments/arguments.ts'
import { assertKind } from '../../entity/rows/entity.ts'
import { assertStorableKey } from '../../hstore/checks.ts'
import { indexName } from './index-name.ts'

/*
 * What an index is on, and which find it serves:
 *
 *   on       method  cast  unique   serves
 *   'body'   gin     no    no       has, hasAny, hasAll, contains
 *   a field  btree   no    may be   equals
 *   a field  btree   yes   may be   SQL of one's own with the same cast: a find compares text
 *
 * With `kind` only entities of that kind are in it, and it serves finds that ask for that kind.
 */

/**
 * The type that a field's text is cast to. Only casts whose outcome depends on nothing else: a time, for one, is read by
 * the settings of the session, so PostgreSQL indexes no cast to it.
 */
export type IndexCast = (typeof casts)[number]

/** An index to be made in every shard. */
export interface IndexDefinition {
  /** Only entities of this kind are in it; default all. */
  readonly kind?: number
  /** The whole `'body'`, or a key of it; a key named body is `{ field: 'body' }`. */
  readonly on: string | { readonly field: string }
  /** Default `gin` for the body and `btree` for a key; no other combination serves a find. */
  readonly method?: 'gin' | 'btree'
  /** The type that the key's text is indexed as; default text. Entities with another text are refused from then on. */
  readonly cast?: IndexCast
  /** Whether two entities of a shard may not have the same value; default false. Not across shards. */
  readonly unique?: boolean
}

/** A checked definition, and the name that follows from it. */
export interface IndexSpec {
  readonly name: string
  readonly kind: number | undefined
  /** Undefined for the whole body. */
  readonly field: string | undefined
  readonly cast: IndexCast | undefined
  readonly isUnique: boolean
}

/** The casts from text that PostgreSQL calls immutable. */
export const casts = ['smallint', 'integer', 'bigint', 'numeric', 'double precision', 'boolean', 'uuid'] as const

const names: readonly string[] = ['kind', 'on', 'method', 'cast', 'unique']

/** Checks a definition; TypeError or RangeError names the part that is not accepted. */
export function checkDefinition(definition: unknown): IndexSpec {
  assertParts('an index', definition, names)
  const { kind, on, method, cast, unique } = definition as Record<keyof IndexDefinition, unknown>
  if (kind !== undefined) assertKind(kind)
  const field = checkOn(on)
  checkMethod(method, field)
  const part = { kind, field, cast: checkCast(cast), isUnique: checkUnique(unique) }
  if (field === undefined) assertPlain(part)
  return Object.freeze({ ...part, name: indexName(part) })
}

function checkOn(on: unknown): string | undefined {
  if (on === 'body') return undefined
  const field: unknown = typeof on === 'object' && on !== null ? (on as { field?: unknown }).field : on
  if (typeof field !== 'string') throw new TypeError(`on must be 'body' or a key of it, got ${describeType(field)}`)
  assertStorableKey(field)
  return field
}

function checkMethod(method: unknown, field: string | undefined): void {
  const [wanted, what] = field === undefined ? ['gin', 'the body'] : ['btree', 'a key of the body']
  if (method === undefined || method === wanted) return
  const given = typeof method === 'string' ? `'${method}'` : describeType(method)
  throw new RangeError(`method must be '${wanted}' for an index on ${what}, got ${given}`)
}

function checkCast(cast: unknown): IndexCast | undefined {
  if (cast === undefined) return undefined
  const known = casts.find((name) => name === cast)
  if (known !== undefined) return known
  const given = typeof cast === 'string' ? `'${cast}'` : describeType(cast)
  throw new RangeError(`cast must be one of ${casts.join(', ')}, got ${given}`)
}

function checkUnique(unique: unknown): boolean {
  if (unique === undefined) return false
  assertBoolean('unique', unique)
  return unique
}

function assertPlain({ cast, isUnique }: Pick<IndexSpec, 'cast' | 'isUnique'>): void {
  if (cast !== undefined) throw new RangeError('cast is for an index on a key, not on the body')
  if (isUnique) throw new RangeError('unique is for an index on a key, not on the body')
}
