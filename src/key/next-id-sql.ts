import { shardSchema } from './shard-id.ts'

/**
 * SQL that creates `next_id()` of a shard: the key of now, from the shard's sequence. A `language sql` function, because
 * PostgreSQL inlines it into the default of the column (2.6 times the bulk rate of PL/pgSQL, same keys). It keeps the
 * original's signature, so that it can replace the original's function in place.
 *
 * `floor`, because a cast to bigint rounds half of the keys into the next millisecond.
 */
export function nextIdSql(shardId: number, epochMs: number): string {
  const schema = shardSchema(shardId)
  return [
    `create or replace function ${schema}.next_id(out result bigint)`,
    'language sql volatile',
    'as $$',
    `  select ((floor(extract(epoch from clock_timestamp()) * 1000)::bigint - ${epochMs}) << 23)`,
    `    | ${shardId << 10}::bigint`,
    `    | (nextval('${schema}.table_id_seq'::regclass) % 1024)`,
    '$$',
  ].join('\n')
}
