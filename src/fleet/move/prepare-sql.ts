import { shardSchema } from '../../key/shard-id.ts'
import { raiseFenceSql, type FenceTarget } from '../../schema/fence-sql.ts'
import { quoteName } from '../../sql/quote.ts'
import type { ShardDefinition } from '../clone/shard-definition.ts'
import { createMarkerTableSql } from './marker-sql.ts'
import { MARKER_TABLE } from './object-names.ts'

/** Makes the tables at the target, and fences them: the shard does not live there yet. */
export function targetTablesSql(
  { shardId, tables, beforeCopy }: ShardDefinition,
  fence: Omit<FenceTarget, 'shardId'>,
): string[] {
  const names = tables.map(({ name }) => name)
  return [...beforeCopy, ...raiseFenceSql({ shardId, ...fence }, names), createMarkerTableSql(shardId)]
}

/** Makes what is left of the definition once the rows are there, and gathers statistics. */
export function finishTablesSql({ shardId, tables, afterCopy }: ShardDefinition): string[] {
  return [...afterCopy, ...tables.map(({ name }) => `analyze ${shardSchema(shardId)}.${quoteName(name)}`)]
}

/** The tables whose changes are followed: those of the shard, and the markers. */
export function publishedTables({ tables }: ShardDefinition): string[] {
  return [...tables.map(({ name }) => name), MARKER_TABLE]
}
