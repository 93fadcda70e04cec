import { shardSchema } from '../key/shard-id.ts'
import { quoteName } from './shard-sql.ts'

/**
 * What names without a schema mean in a shard: those of its schema, then what extensions brought. Temporary tables come
 * last: one that was left behind must not hide a table of the shard.
 */
export function searchPathOf(shardId: number, hstoreSchema: string): string {
  const schemas = [shardSchema(shardId), 'public', hstoreSchema, 'pg_temp']
  return [...new Set(schemas)].map(quoteName).join(', ')
}

/** Fails unless the schemas of these shards are there: names would mean those of `public` without a word. */
export function assertSchemasSql(shardIds: readonly number[]): string {
  return `select '{${shardIds.map(shardSchema).join(',')}}'::regnamespace[]`
}

/** The schema of a shard, as an expression that fails unless it is there. */
export function schemaExpression(shardId: number): string {
  return `'${shardSchema(shardId)}'::regnamespace`
}
