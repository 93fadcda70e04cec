import { shardSchema } from '../../key/shard-id.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import type { KeptRow } from './batch.ts'

/** Those of these keys that the shard has already. */
export function selectTaken(shardId: number, ids: readonly bigint[]): ShardStatement {
  const text = ['select id', `from ${shardSchema(shardId)}.entities`, 'where id = any($1::bigint[])'].join('\n')
  return { text, values: [arrayOf(ids)], isWrite: false }
}

/** One row if the entities of the shard have the column `updated`. */
export function findUpdatedColumn(shardId: number): ShardStatement {
  const text = [
    'select 1',
    'from pg_catalog.pg_attribute',
    `where attrelid = '${shardSchema(shardId)}.entities'::regclass`,
    "  and attname = 'updated'",
    '  and not attisdropped',
  ].join('\n')
  return { text, values: [], isWrite: false }
}

/** Says of rows when they were changed, as they were before. */
export function restoreUpdated(shardId: number, changed: readonly KeptRow[]): ShardStatement {
  const text = [
    `update ${shardSchema(shardId)}.entities as entity`,
    'set updated = kept.updated',
    'from unnest($1::bigint[], $2::timestamp[]) as kept (id, updated)',
    'where entity.id = kept.id',
  ].join('\n')
  const times = changed.map(({ updated }) => (updated as Date).toISOString().replace('Z', ''))
  return { text, values: [arrayOf(changed.map(({ id }) => id)), arrayOf(times)], isWrite: true }
}

function arrayOf(values: readonly (bigint | string)[]): string {
  return `{${values.join()}}`
}
