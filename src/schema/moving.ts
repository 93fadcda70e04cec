import { shardSchema } from '../key/shard-id.ts'
import type { ServerStatement } from '../server/server-session.ts'
import { isFenceFunction } from './move-objects.ts'

/*
 * Whether a shard moves, as its server tells: a move publishes its tables, or has put up a fence. What a shard is made of
 * must not change then, because only rows go with it. Whoever changes it asks behind the lock of the shard, and a move
 * has these locks when it publishes, so neither can begin in the middle of the other.
 */

/** SQLSTATE of a change of what a shard is made of that was refused because the shard moves. */
export const SHARD_MOVES = 'HV002'

const movingSchemas = [
  'select nspname as hv_schema',
  'from pg_publication',
  'join pg_publication_rel on prpubid = pg_publication.oid',
  'join pg_class on pg_class.oid = prrelid',
  'join pg_namespace on pg_namespace.oid = relnamespace',
  "where pubname ~ '^hv_(move|back)_'",
  'union all',
  'select nspname',
  'from pg_proc join pg_namespace on pg_namespace.oid = pronamespace',
  `where ${isFenceFunction}`,
].join('\n')

/** Schemas of the shards that move; one may be there more than once: `(schema)`. */
export const selectMoving: ServerStatement = Object.freeze({ text: movingSchemas })

/** Fails with the SQLSTATE {@link SHARD_MOVES} if one of these shards moves. */
export function assertNotMovingSql(shardIds: readonly number[]): string {
  return [
    'do $hv$',
    'declare hv_moving text;',
    'begin',
    `  select min(hv_schema) into hv_moving from (${movingSchemas}) as hv_each`,
    `  where hv_schema = any ('{${shardIds.map(shardSchema).join(',')}}');`,
    '  if hv_moving is not null then',
    `    raise exception '% is moving to another server', hv_moving using errcode = '${SHARD_MOVES}';`,
    '  end if;',
    'end $hv$',
  ].join('\n')
}
