import { quoteLiteral } from '../../sql/quote.ts'
import { encodeTextArray } from '../rows/binary-arrays.ts'
import type { CheckedQuery } from './find-query.ts'
import { looksIntoBody } from './where.ts'

/*
 * The SQL of a query's conditions. Values are parameters, with two exceptions that indexes ask for:
 *
 *   key of `equals`   a literal, because `body -> $1` is not the expression that `body -> 'name'` was indexed by
 *   kind              a literal, because a partial index `where type = 1` serves a prepared `type = $1` only as long as
 *                     the server plans it anew each time
 *
 * What each part can be served by:
 *
 *   equals                          btree on the key, without a cast
 *   has, hasAny, hasAll, contains   gin on the body
 *   kind                            any index that is partial by this kind; else it is looked at row by row
 *   time, after, order              the primary key
 *
 * The operators of hstore are named with their schema, because nothing depends on a search path.
 */

/** A value as it is sent: text, or a Buffer in PostgreSQL's binary format. */
export type ConditionValue = string | Buffer

/** Conditions on the columns `type` and `body`, all of which must hold, and the values that they number. */
export interface Conditions {
  readonly terms: readonly string[]
  readonly values: readonly ConditionValue[]
}

/** An operator of hstore with its schema. */
export function hstoreOperator(hstoreType: string, operator: '->' | '?' | '?|' | '?&' | '@>'): string {
  return `operator(${schemaOf(hstoreType)}.${operator})`
}

/** The expression whose value a btree index on a key of the body holds. */
export function fieldSql(field: string, hstoreType: string): string {
  return `body ${hstoreOperator(hstoreType, '->')} ${quoteLiteral(field)}::text`
}

/** Tells whether the conditions of a query need to know where hstore is. */
export function needsHstore({ where }: Pick<CheckedQuery, 'where'>): boolean {
  return looksIntoBody(where)
}

/**
 * The conditions of a query apart from those on its keys.
 *
 * @param hstoreType the type `hstore` with its schema, quoted; undefined only if {@link needsHstore} says no
 * @param offset how many values the statement has before these
 */
export function conditionsOf(
  { kind, where }: Pick<CheckedQuery, 'kind' | 'where'>,
  hstoreType: string | undefined,
  offset = 0,
): Conditions {
  const kindTerms = kind === undefined ? [] : [`type = ${kind}`]
  if (!looksIntoBody(where)) return { terms: kindTerms, values: [] }
  if (hstoreType === undefined) throw new Error('bug: a where before hstore is found')
  const parts = listParts(where, hstoreType)
  const terms = parts.map(({ sql }, index) => `${sql} $${offset + index + 1}${parts[index]?.cast ?? ''}`)
  return { terms: [...kindTerms, ...terms], values: parts.map(({ value }) => value) }
}

interface Part {
  /** What stands before the parameter. */
  readonly sql: string
  readonly cast: string
  readonly value: ConditionValue
}

function listParts({ equals, has, hasAny, hasAll, contains }: CheckedQuery['where'], hstoreType: string): Part[] {
  const body = (operator: '?' | '?|' | '?&' | '@>', cast: string, value: ConditionValue): Part => ({
    sql: `body ${hstoreOperator(hstoreType, operator)}`,
    cast: `::${cast}`,
    value,
  })
  const parts = equals.map(([field, value]) => ({
    sql: `(${fieldSql(field, hstoreType)}) =`,
    cast: '::text',
    value,
  }))
  return [
    ...parts,
    ...(has === undefined ? [] : [body('?', 'text', has)]),
    ...(hasAny === undefined ? [] : [body('?|', 'text[]', encodeTextArray(hasAny))]),
    ...(hasAll.length === 0 ? [] : [body('?&', 'text[]', encodeTextArray(hasAll))]),
    ...(contains === undefined ? [] : [body('@>', hstoreType, contains)]),
  ]
}

/** `hv."strange name".hstore` has the schema before its last dot; the name of the type has none. */
function schemaOf(hstoreType: string): string {
  return hstoreType.slice(0, hstoreType.lastIndexOf('.'))
}
