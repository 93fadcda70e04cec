import { shardSchema } from '../../key/shard-id.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { conditionsOf, type Conditions } from './conditions.ts'
import type { CheckedQuery } from './find-query.ts'
import { signedRuns, type IdBounds } from './id-bounds.ts'

/*
 * A find reads one run of signed ids or two, the positive and then the negative ones (see id-bounds.ts). Each run is a
 * range of the primary key in its own order, so that the server can walk it and stop at the limit. Most shards have no
 * negative id until 2048, so where two runs are meant a quick statement goes first, and what it gives tells whether it
 * was enough:
 *
 *   order, bounds              quick statement            it settles the find unless
 *   ascending, from the start  all ids, signed order      its first row has a negative id: they come first there
 *   else                       the positive run           the shard has a negative id, which each row tells in a fifth
 *                                                         column; or there is no row to tell it
 *   one run                    none, only the exact one
 *
 * The exact statement has both runs, put together by the server. So until 2048 a find is the statement that one would
 * write by hand, and from then on it is still right.
 *
 * The limit is a part of the text: a plan that the server keeps for any limit reckons with a tenth of the table.
 */

/** How to do a find. */
export interface FindStatements {
  /** Worth trying first, if there is one; see {@link isSettled}. */
  readonly quick: ShardStatement | undefined
  readonly exact: () => ShardStatement
}

/** The statements of a query, for rows `(id, type, body, updated)` in its order; undefined when no key can be meant. */
export function findStatements(
  shardId: number,
  query: CheckedQuery,
  hstoreType: string | undefined,
): FindStatements | undefined {
  const [run, second] = signedRuns(query.bounds)
  if (run === undefined) return undefined
  if (second === undefined) return { quick: undefined, exact: () => oneRun(shardId, query, run, hstoreType) }
  const isFromStart = query.isAscending && run.first === 0n
  return {
    quick: isFromStart ? allIds(shardId, query, hstoreType) : positiveRun(shardId, query, run, hstoreType),
    exact: () => twoRuns(shardId, query, [run, second], hstoreType),
  }
}

/** Whether the rows of a quick statement are those of the find. */
export function isSettled(rows: readonly TextRow[], { bounds, isAscending }: CheckedQuery): boolean {
  const isFromStart = isAscending && bounds.first === 0n
  const [first] = rows
  if (first === undefined) return isFromStart
  return isFromStart ? first[0]?.startsWith('-') === false : first[4] === 'f'
}

/** Without a condition on the id, so that a plan for any bound need not guess. */
function allIds(shardId: number, query: CheckedQuery, hstoreType: string | undefined): ShardStatement {
  const { terms, values } = conditionsOf(query, hstoreType)
  return read(withUpdated(selectRun(shardId, query, terms), orderOf(query)), values)
}

function oneRun(shardId: number, query: CheckedQuery, run: IdBounds, hstoreType: string | undefined): ShardStatement {
  const { terms, values } = conditionsOf(query, hstoreType, 2)
  const select = selectRun(shardId, query, [...terms, 'id between $1::bigint and $2::bigint'])
  return read(withUpdated(select, orderOf(query)), [String(run.first), String(run.last), ...values])
}

function positiveRun(
  shardId: number,
  query: CheckedQuery,
  { first }: IdBounds,
  hstoreType: string | undefined,
): ShardStatement {
  const { terms, values } = conditionsOf(query, hstoreType, 1)
  const select = selectRun(shardId, query, [...terms, 'id >= $1::bigint'])
  const flag = `, (select min(id) from ${shardSchema(shardId)}.entities) < 0`
  return read(withUpdated(select, orderOf(query), flag), [String(first), ...values])
}

function twoRuns(
  shardId: number,
  query: CheckedQuery,
  [positive, negative]: readonly [IdBounds, IdBounds],
  hstoreType: string | undefined,
): ShardStatement {
  const { terms, values }: Conditions = conditionsOf(query, hstoreType, 2)
  const parts = ['id >= $1::bigint', 'id <= $2::bigint'].map(
    (bound, index) => `(${selectRun(shardId, query, [...terms, bound, index === 0 ? 'id >= 0' : 'id < 0'])})`,
  )
  const order = `id < 0${query.isAscending ? '' : ' desc'}, ${orderOf(query)}\nlimit ${query.limit}`
  const bounds = [String(positive.first), String(negative.last)]
  return read(withUpdated(parts.join('\n  union all\n  '), order), [...bounds, ...values])
}

function read(text: string, values: ShardStatement['values']): ShardStatement {
  return { text, values, isWrite: false }
}

function selectRun(shardId: number, query: CheckedQuery, terms: readonly string[]): string {
  return [
    'select id, type, body, updated',
    `  from ${shardSchema(shardId)}.entities`,
    ...(terms.length === 0 ? [] : [`  where ${terms.join('\n    and ')}`]),
    `  order by ${orderOf(query)}`,
    `  limit ${query.limit}`,
  ].join('\n')
}

/** A table without the column `updated` gets that of the one-row relation before it, which is null. */
function withUpdated(select: string, order: string, furtherColumn = ''): string {
  return [
    `select found.*${furtherColumn}`,
    'from (select null::timestamp as updated) as absent',
    `cross join lateral (\n  ${select}\n) as found`,
    `order by ${order}`,
  ].join('\n')
}

function orderOf({ isAscending }: CheckedQuery): string {
  return isAscending ? 'id' : 'id desc'
}
