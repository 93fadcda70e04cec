import { shardSchema } from '../../../key/shard-id.ts'
import type { ShardStatement } from '../../../shard/shard-session.ts'
import { conditionsOf } from '../../find/conditions.ts'
import type { CheckedQuery } from '../../find/find-query.ts'
import { isWhole, signedRuns, type IdBounds } from '../../find/id-bounds.ts'

/** The statement that counts entities in a stretch of keys: one row with a number. Undefined when no key can be meant. */
export function countStatement(
  shardId: number,
  stretch: IdBounds,
  query: Pick<CheckedQuery, 'kind' | 'where'>,
  hstoreType: string | undefined,
): ShardStatement | undefined {
  const runs = signedRuns(stretch)
  if (runs.length === 0) return undefined
  const bounds = isWhole(stretch) ? [] : runs.flatMap(({ first, last }) => [String(first), String(last)])
  const { terms, values } = conditionsOf(query, hstoreType, bounds.length)
  const where = bounds.length === 0 ? terms : [runsTerm(runs.length), ...terms]
  const text = [
    'select count(*)',
    `from ${shardSchema(shardId)}.entities`,
    ...(where.length === 0 ? [] : [`where ${where.join('\n  and ')}`]),
  ].join('\n')
  return { text, values: [...bounds, ...values], isWrite: false }
}

function runsTerm(runs: number): string {
  const terms = Array.from(
    { length: runs },
    (_, run) => `id between $${2 * run + 1}::bigint and $${2 * run + 2}::bigint`,
  )
  return `(${terms.join(' or ')})`
}
