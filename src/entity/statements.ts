import { shardSchema } from '../key/shard-id.ts'
import { withKeys } from './batch-keys.ts'
import { encodeInt2Array, encodeInt8Array, encodeTextArray } from './binary-arrays.ts'
import type { ShardStatement } from '../shard/shard-session.ts'

/*
 * The statements of the table `entities`. Every name carries its schema: a search path cannot route, because behind a
 * transaction-mode pooler it belongs to somebody else's session.
 */

/** Entities of one kind for one statement. */
export interface EntityBatch {
  readonly kind: number
  /** Encoded as hstore. */
  readonly bodies: readonly string[]
  /** The type `hstore` with its schema, quoted. */
  readonly hstoreType: string
}

/**
 * Selects one entity, as `(id, type, body, updated)`. A table of the original's second script lacks the column
 * `updated`; then the name means that of the one-row relation before it, which is null.
 */
export function selectEntity(shardId: number, id: string): ShardStatement {
  return { text: selectOne(shardId), values: [id], isWrite: false }
}

/** Selects entities, in any order, as {@link selectEntity} does. */
export function selectEntities(shardId: number, ids: readonly bigint[]): ShardStatement {
  return { text: selectMany(shardId), values: [encodeInt8Array(ids)], isWrite: false }
}

/** Inserts one entity and returns its id. */
export function insertEntity(shardId: number, kind: number, body: string): ShardStatement {
  return { text: insertOne(shardId), values: [String(kind), body], isWrite: true }
}

/** Inserts one entity and returns its id; no row if the key that is given out exists. */
export function insertUntaken(shardId: number, kind: number, body: string): ShardStatement {
  const text = [
    `insert into ${shardSchema(shardId)}.entities (type, body) values ($1, $2)`,
    'on conflict (id) do nothing',
    'returning id',
  ].join('\n')
  return { text, values: [String(kind), body], isWrite: true }
}

/**
 * Inserts some entities of any kinds and returns their ids in the order of the bodies: the ids are made before the
 * rows, each beside the place of its body, because the order of what `returning` gives is nowhere promised.
 *
 * @param hstoreType the type `hstore` with its schema, quoted
 */
export function insertSome(
  shardId: number,
  kinds: readonly number[],
  bodies: readonly string[],
  hstoreType: string,
): ShardStatement {
  const schema = shardSchema(shardId)
  const text = [
    'with input as materialized (',
    `  select ${schema}.next_id() as id, kind, body, place`,
    '  from unnest($1::smallint[], $2::text[]) with ordinality as given (kind, body, place)',
    '), stored as (',
    `  insert into ${schema}.entities (id, type, body) select id, kind, body::${hstoreType} from input order by place`,
    ')',
    'select id from input order by place',
  ].join('\n')
  return { text, values: [encodeInt2Array(kinds), encodeTextArray(bodies)], isWrite: true }
}

/** Keeps the text for each shard: one string object, whose hash is computed once. */
function memoize(make: (schema: string) => string): (shardId: number) => string {
  const texts: string[] = []
  return (shardId) => (texts[shardId] ??= make(shardSchema(shardId)))
}

const selectOne = memoize((schema) => selectWhere(schema, 'id = $1'))
const selectMany = memoize((schema) => selectWhere(schema, 'id = any($1)'))
const insertOne = memoize((schema) => `insert into ${schema}.entities (type, body) values ($1, $2) returning id`)

function selectWhere(schema: string, condition: string): string {
  return [
    'select found.*',
    'from (select null::timestamp as updated) as absent',
    `cross join lateral (select id, type, body, updated from ${schema}.entities where ${condition}) as found`,
  ].join('\n')
}

/**
 * Inserts many entities of one kind and returns their ids in the order of the bodies. The ids are made before the rows,
 * each beside the place of its body: the order of what `returning` gives is nowhere promised.
 */
export function insertEntities(shardId: number, batch: EntityBatch): ShardStatement {
  const { kind, bodies, hstoreType } = batch
  const from = 'unnest($2::text[]) with ordinality as given (body, place)'
  const text = [
    `${withKeys({ shardId, from, columns: 'place, body' })}, stored as (`,
    `  insert into ${shardSchema(shardId)}.entities (id, type, body)`,
    `  select id, $1::smallint, body::${hstoreType} from keyed order by place`,
    ')',
    'select id from keyed order by place',
  ].join('\n')
  return { text, values: [String(kind), encodeTextArray(bodies)], isWrite: true }
}

/** Finds the schema of the extension hstore, which each database may keep in another one. */
export const findHstoreSchema: ShardStatement = Object.freeze({
  text: [
    'select quote_ident(nspname)',
    'from pg_extension join pg_namespace on pg_namespace.oid = extnamespace',
    "where extname = 'hstore'",
  ].join('\n'),
  values: [],
  isWrite: false,
})
