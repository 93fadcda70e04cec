import { shardSchema } from '../key/shard-id.ts'
import type { ShardStatement } from '../shard/shard-session.ts'

/*
 * The statements of the table `entities`. Every name carries its schema: a search path cannot route, because behind a
 * transaction-mode pooler it belongs to somebody else's session.
 */

/**
 * Selects entities, in any order, as `(id, type, body, updated)`. A table of the original's second script lacks the
 * column `updated`; then the name means that of the one-row relation before it, which is null.
 */
export function selectEntities(shardId: number, ids: readonly string[]): ShardStatement {
  const text = [
    'select found.*',
    'from (select null::timestamp as updated) as absent',
    `cross join lateral (select id, type, body, updated from ${shardSchema(shardId)}.entities where id = any($1)) as found`,
  ].join('\n')
  return { text, values: [ids], isWrite: false }
}

/** Inserts one entity and returns its id. */
export function insertEntity(shardId: number, kind: number, body: string): ShardStatement {
  const text = [`insert into ${shardSchema(shardId)}.entities (type, body)`, 'values ($1, $2)', 'returning id'].join(
    '\n',
  )
  return { text, values: [kind, body], isWrite: true }
}

/**
 * Inserts many entities of one kind and returns their ids in the order of the bodies. The ids are made first, beside
 * the position of each body: the order of what `returning` gives is nowhere promised.
 *
 * @param hstoreType the type `hstore` with its schema, quoted
 */
export function insertEntities(
  shardId: number,
  kind: number,
  bodies: readonly string[],
  hstoreType: string,
): ShardStatement {
  const schema = shardSchema(shardId)
  const text = [
    'with input as materialized (',
    `  select ${schema}.next_id() as id, place, body from unnest($2::text[]) with ordinality as given (body, place)`,
    '), stored as (',
    `  insert into ${schema}.entities (id, type, body)`,
    `  select id, $1::smallint, body::${hstoreType} from input order by place`,
    ')',
    'select id from input order by place',
  ].join('\n')
  return { text, values: [kind, bodies], isWrite: true }
}

/** Finds the schema of the extension hstore, which each database may keep in another one. */
export const findHstoreSchema: ShardStatement = Object.freeze({
  text: [
    'select quote_ident(nspname)',
    'from pg_extension join pg_namespace on pg_namespace.oid = extnamespace',
    "where extname = 'hstore'",
  ].join('\n'),
  isWrite: false,
})
