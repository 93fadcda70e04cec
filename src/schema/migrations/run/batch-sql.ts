import { quoteName } from '../../../sql/quote.ts'
import { assertSchemasSql, searchPath } from '../../../sql/search-path.ts'
import { assertNotMovingSql } from '../../moving.ts'
import { lockShardsSql } from '../../shard-lock.ts'
import type { SqlMigration } from '../migration.ts'
import { insertAppliedSql } from '../state/state-sql.ts'

/** Bounds of the statements of a transaction, in milliseconds. */
export interface BatchLimits {
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
}

/** Shards in which a migration runs together. */
export interface Batch {
  readonly migration: SqlMigration
  readonly shardIds: readonly number[]
  readonly hstoreSchema: string
}

/**
 * The statements of one migration in some shards, as one text. PostgreSQL runs the statements of a text in one
 * transaction, so all of it is done or nothing, and no `begin` is needed; what is set is `local` to it.
 */
export function batchSql({ migration, shardIds, hstoreSchema }: Batch, limits: BatchLimits): string {
  const parts = shardIds.flatMap((shardId, index) => [
    openShardSql(shardId, hstoreSchema),
    migration.text,
    insertAppliedSql(shardId, migration, index + 1),
  ])
  return [...openBatchSql(shardIds, limits), ...parts].join('\n;\n')
}

/** What a transaction begins with: its bounds, and the shards, which nobody else changes meanwhile. */
export function openBatchSql(
  shardIds: readonly number[],
  { lockTimeoutMs, statementTimeoutMs }: BatchLimits,
): string[] {
  return [
    `set local lock_timeout = ${lockTimeoutMs}`,
    `set local statement_timeout = ${statementTimeoutMs}`,
    lockShardsSql(shardIds),
    // Behind the locks, because a move has them when it begins.
    assertSchemasSql(shardIds),
    assertNotMovingSql(shardIds),
  ]
}

/** What the part of one shard begins with: names mean those of the shard. */
export function openShardSql(shardId: number, hstoreSchema: string): string {
  return `set local search_path = ${searchPath(shardId, quoteName(hstoreSchema))}`
}
