import { shardSchema } from '../../key/shard-id.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { encodeInt2Array, encodeInt8Array, encodeTextArray } from './binary-arrays.ts'

/*
 * The statements of the table `entities`. Every name carries its schema: a search path cannot route, because behind a
 * transaction-mode pooler it belongs to somebody else's session.
 */

/** Entities of one kind for one statement. */
export interface EntityBatch {
  readonly kind: number
  readonly ids: readonly bigint[]
  /** Encoded as hstore, one for each id. */
  readonly bodies: readonly string[]
  /** The type `hstore` with its schema, quoted. */
  readonly hstoreType: string
}

/**
 * Selects one entity, as `(id, type, body, updated)`.
 *
 * @param hasUpdated whether the table is taken to have the column `updated`; else it may lack it, as one of the original's
 *   second script does, and is asked in a way that costs more
 */
export function selectEntity(shardId: number, id: string, hasUpdated = false): ShardStatement {
  return { text: hasUpdated ? selectOne(shardId) : selectOneOfAny(shardId), values: [id], isWrite: false }
}

/** Selects entities, in any order, as {@link selectEntity} does. */
export function selectEntities(shardId: number, ids: readonly bigint[], hasUpdated = false): ShardStatement {
  const text = hasUpdated ? selectMany(shardId) : selectManyOfAny(shardId)
  return { text, values: [encodeInt8Array(ids)], isWrite: false }
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
  const values = [encodeInt2Array(kinds), encodeTextArray(bodies)]
  return { text: insertBatch(shardId, hstoreType), values, isWrite: true }
}

/** Keeps the text for each shard: one string object, whose hash is computed once. */
function memoize(make: (schema: string) => string): (shardId: number) => string {
  const texts: string[] = []
  return (shardId) => (texts[shardId] ??= make(shardSchema(shardId)))
}

/** Keeps the text for each shard and type: nearly all servers keep hstore in the same schema. */
function memoizeByType(make: (schema: string, type: string) => string): (shardId: number, type: string) => string {
  const byType = new Map<string, (shardId: number) => string>()
  return (shardId, type) => {
    const known = byType.get(type) ?? memoize((schema) => make(schema, type))
    byType.set(type, known)
    return known(shardId)
  }
}

/**
 * Ids out of an array. Asked for by a query of its own, because a server that sees the array itself plans for its length,
 * and after a few short ones it does so again for each array, which costs more than it takes to find the rows.
 */
export const IDS_GIVEN = 'id = any((select $1::bigint[])::bigint[])'

const selectOne = memoize((schema) => selectWhere(schema, 'id = $1'))
const selectMany = memoize((schema) => selectWhere(schema, IDS_GIVEN))
const selectOneOfAny = memoize((schema) => selectOfAnyWhere(schema, 'id = $1'))
const selectManyOfAny = memoize((schema) => selectOfAnyWhere(schema, IDS_GIVEN))
const insertOne = memoize((schema) => `insert into ${schema}.entities (type, body) values ($1, $2) returning id`)

const insertBatch = memoizeByType((schema, hstoreType) =>
  [
    'with input as materialized (',
    `  select ${schema}.next_id() as id, kind, body, place`,
    '  from unnest($1::smallint[], $2::text[]) with ordinality as given (kind, body, place)',
    '), stored as (',
    `  insert into ${schema}.entities (id, type, body) select id, kind, body::${hstoreType} from input`,
    ')',
    'select id from input order by place',
  ].join('\n'),
)

function selectWhere(schema: string, condition: string): string {
  return `select id, type, body, updated from ${schema}.entities where ${condition}`
}

/** Where the table lacks the column `updated`, the name means that of the one-row relation before it, which is null. */
function selectOfAnyWhere(schema: string, condition: string): string {
  return [
    'select found.*',
    'from (select null::timestamp as updated) as absent',
    `cross join lateral (${selectWhere(schema, condition)}) as found`,
  ].join('\n')
}

/** Inserts many entities of one kind under keys that were drawn before. */
export function insertEntities(shardId: number, { kind, ids, bodies, hstoreType }: EntityBatch): ShardStatement {
  const text = [
    `insert into ${shardSchema(shardId)}.entities (id, type, body)`,
    `select hv_id, $1::smallint, hv_body::${hstoreType}`,
    'from unnest($2::bigint[], $3::text[]) as hv_given (hv_id, hv_body)',
  ].join('\n')
  return { text, values: [String(kind), encodeInt8Array(ids), encodeTextArray(bodies)], isWrite: true }
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
