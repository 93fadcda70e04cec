import { shardSchema } from '../../key/shard-id.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { conditionsOf } from '../find/conditions.ts'
import type { CheckedQuery } from '../find/find-query.ts'
import type { IdBounds } from '../find/id-bounds.ts'

/*
 * One statement for all these shards. Each is walked along its primary key, and the server merges them (Merge Append), so
 * that it reads as many rows as are wanted and one of each shard; see walk-settings.ts for what keeps it from anything
 * else. Entities of other kinds and bodies are passed over on the way, so a whole scan costs one walk, whatever it finds.
 *
 * A table without the column `updated` gets that of the one-row relation before it, which is null. That relation stands
 * outside of the union: inside, it would take the shards' order away.
 */

/** One read of a scan: the first entities of several shards of a server in a run of signed ids. */
export interface PageRead {
  readonly shardIds: readonly number[]
  /** Signed ids, both ends included. */
  readonly run: IdBounds
  readonly rows: number
}

/** The statement of a read, for rows `(id, type, body, updated)` in the order of the query. */
export function pageStatement(
  { shardIds, run, rows }: PageRead,
  query: CheckedQuery,
  hstoreType: string | undefined,
): ShardStatement {
  const { terms, values } = conditionsOf(query, hstoreType, 2)
  const order = query.isAscending ? 'id' : 'id desc'
  const where = ['id between $1::bigint and $2::bigint', ...terms].join(' and ')
  const members = shardIds.map(
    (shardId) =>
      `(select id, type, body, updated from ${shardSchema(shardId)}.entities where ${where} order by ${order} limit ${rows})`,
  )
  const text = [
    'select page.*',
    'from (select null::timestamp as updated) as absent',
    'cross join lateral (',
    members.join('\nunion all\n'),
    ...(members.length > 1 ? [`order by ${order} limit ${rows}`] : []),
    ') as page',
    `order by ${order}`,
  ].join('\n')
  return { text, values: [String(run.first), String(run.last), ...values], isWrite: false }
}
