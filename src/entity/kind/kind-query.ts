import type { Body } from '../../hstore/body.ts'
import type { FindQuery } from '../find/find-query.ts'
import type { CountOptions } from '../scan/count/count-options.ts'
import type { Comparable, FieldName } from './infer.ts'
import { refusing } from './issues.ts'
import type { KindKey } from './kind-key.ts'
import type { AnyKind } from './kind.ts'
import { formatPath, IssueList } from './misfit.ts'

/**
 * What an entity of a kind must be like. All that is given must hold. It is asked of what is stored: an entity that lacks
 * a field is not found by the default that the field reads as.
 */
export interface KindWhere<K extends AnyKind> {
  /** These fields have exactly these values. Served by a btree index on each field. */
  readonly equals?: { readonly [N in keyof Comparable<K>]?: Exclude<Comparable<K>[N], null> }
  /** This field is there, also with the value null. Served by a gin index on the body, as all below. */
  readonly has?: FieldName<K>
  /** At least one of these fields is there; with none, nothing is found. */
  readonly hasAny?: readonly FieldName<K>[]
  /** Each of these fields is there. */
  readonly hasAll?: readonly FieldName<K>[]
  /** These fields have these values, null meaning null. */
  readonly contains?: { readonly [N in keyof Comparable<K>]?: Comparable<K>[N] }
}

/** Which entities of a kind to find in a shard, and how many of them at most. */
export interface KindQuery<K extends AnyKind> extends Omit<FindQuery, 'kind' | 'where' | 'after'> {
  readonly where?: KindWhere<K>
  /** Only entities behind this key, in the direction of the order: the last one of the page before. */
  readonly after?: KindKey<K['name']>
}

/** Which entities of a kind to count, in whatever shards. */
export interface KindCountOptions<K extends AnyKind> extends Omit<CountOptions, 'kind' | 'where'> {
  readonly where?: KindWhere<K>
}

/**
 * Translates the query of a kind into one of bodies. A TypeError names a field that the kind does not have; `find` refuses
 * values that are not a query at all.
 */
export function writeQuery<Q extends object>(kind: AnyKind, query: Q): Q & Pick<FindQuery, 'kind' | 'where'> {
  if (!isObject(query) || query instanceof AbortSignal) return query
  const { where } = query as { readonly where?: unknown }
  const written = isObject(where) ? { where: writeWhere(kind, where) } : {}
  return { ...query, kind: kind.number, ...written }
}

/** Parts that a `where` does not have are left for the find to refuse. */
function writeWhere(kind: AnyKind, where: object): object {
  const { equals, contains, has, hasAny, hasAll } = where as Record<string, unknown>
  for (const name of [has, hasAny, hasAll].flat()) assertField(kind, name)
  return {
    ...where,
    ...(isObject(equals) && { equals: writeComparisons(kind, 'where.equals', equals) }),
    ...(isObject(contains) && { contains: writeComparisons(kind, 'where.contains', contains) }),
  }
}

function assertField(kind: AnyKind, name: unknown): void {
  if (typeof name === 'string') refusing(formatPath('where', [name]), () => kind.assertField(name))
}

function writeComparisons(kind: AnyKind, root: string, values: object): Body {
  return refusing(root, () => {
    const issues = new IssueList()
    const texts: [string, string | null][] = []
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) issues.add(name, 'is undefined: omit it to match any value')
      else issues.collect(name, () => texts.push([name, kind.writeComparison(name, value)]))
    }
    issues.assertNone()
    return Object.fromEntries(texts)
  })
}

/** A list is none: it is left for the find to refuse. */
function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
