import { shardSchema } from '../key/shard-id.ts'

/**
 * What names without a schema mean in a shard: those of its schema, then those of `public` and of hstore. Temporary tables come
 * last: one that was left behind on a connection must not hide a table of the shard.
 *
 * @param hstoreSchema where hstore is, quoted; undefined if there is none
 */
export function searchPath(shardId: number, hstoreSchema: string | undefined): string {
  const isOwn = hstoreSchema !== undefined && !['public', '"public"'].includes(hstoreSchema)
  return [shardSchema(shardId), 'public', ...(isOwn ? [hstoreSchema] : []), 'pg_temp'].join(', ')
}

/** Fails unless the schemas of these shards are there: names would mean those of `public` without a word. */
export function assertSchemasSql(shardIds: readonly number[]): string {
  return `select '{${shardIds.map(shardSchema).join(',')}}'::regnamespace[]`
}

/** The schema of a shard, as an expression that fails unless it is there. */
export function schemaExpression(shardId: number): string {
  return `'${shardSchema(shardId)}'::regnamespace`
}
