import { shardSchema } from '../../key/shard-id.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { conditionsOf, type Conditions } from './conditions.ts'
import type { CheckedQuery } from './find-query.ts'
import { signedRuns } from './id-bounds.ts'

/*
 * A find reads one run of signed ids, or two, first the positive and then the negative ones (see id-bounds.ts). Each run
 * is a range of the primary key in its own order, so that the server can walk it and stop at the limit. The second run is
 * not even begun as long as the shard has no negative id, which one look at the end of the primary key tells.
 *
 * The limit is a part of the text: a plan that the server keeps for any limit reckons with a tenth of the table.
 */

/** The rows `(id, type, body, updated)` of a query in its order; undefined when no key can be meant. */
export function findStatement(
  shardId: number,
  query: CheckedQuery,
  hstoreType: string | undefined,
): ShardStatement | undefined {
  const runs = signedRuns(query.bounds)
  const [run, second] = runs
  if (run === undefined) return undefined
  const conditions = conditionsOf(query, hstoreType, 2)
  const [first, last] = [run.first, (second ?? run).last]
  const text = second === undefined ? oneRun(shardId, query, conditions) : twoRuns(shardId, query, conditions)
  return { text, values: [String(first), String(last), ...conditions.values], isWrite: false }
}

function oneRun(shardId: number, query: CheckedQuery, { terms }: Conditions): string {
  return withUpdated(selectRun(shardId, query, [...terms, 'id between $1::bigint and $2::bigint']), orderOf(query))
}

function twoRuns(shardId: number, query: CheckedQuery, { terms }: Conditions): string {
  const positive = selectRun(shardId, query, [...terms, 'id >= $1::bigint'])
  const isThere = `(select min(id) from ${shardSchema(shardId)}.entities) < 0`
  const negative = selectRun(shardId, query, [...terms, 'id <= $2::bigint', isThere])
  const order = `id < 0${query.isAscending ? '' : ' desc'}, ${orderOf(query)}\nlimit ${query.limit}`
  return withUpdated(`(${positive})\n  union all\n  (${negative})`, order)
}

function selectRun(shardId: number, query: CheckedQuery, terms: readonly string[]): string {
  return [
    'select id, type, body, updated',
    `  from ${shardSchema(shardId)}.entities`,
    `  where ${terms.join('\n    and ')}`,
    `  order by ${orderOf(query)}`,
    `  limit ${query.limit}`,
  ].join('\n')
}

/** A table without the column `updated` gets that of the one-row relation before it, which is null. */
function withUpdated(select: string, order: string): string {
  return [
    'select found.*',
    'from (select null::timestamp as updated) as absent',
    `cross join lateral (\n  ${select}\n) as found`,
    `order by ${order}`,
  ].join('\n')
}

function orderOf({ isAscending }: CheckedQuery): string {
  return isAscending ? 'id' : 'id desc'
}
