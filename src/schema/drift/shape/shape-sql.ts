import { bodyOf, FLOOR_PATTERN, flooredNextIdSql, nextIdSql } from '../../../key/next-id-sql.ts'
import type { ServerStatement } from '../../../server/server-session.ts'
import { sameAnswersSql } from '../../same-answers.ts'
import { codeLines } from './code-lines.ts'
import { objects, ownershipLines } from './ownership-lines.ts'
import { relationLines } from './relation-lines.ts'

/*
 * The shape of a shard: what its schema is made of, as lines of text in which the name of the schema and the number of the
 * shard are left out, so that shards of the same make have the same lines. They are read from the catalogs of PostgreSQL
 * for all shards of a server in one statement; a fingerprint is the md5 of the sorted lines.
 *
 * What a move puts there for its time (`hv_fence`, `hv_marker`) is no part of the shape, nor is the floor of a
 * `next_id()`, which only says that a clock was behind once.
 */

/** Qualifies every name in what PostgreSQL prints, and prints it alike, whatever the role and the database have set. */
export const OPENING: readonly string[] = [
  'begin isolation level repeatable read read only',
  ...sameAnswersSql.map((setting) => `set local ${setting}`),
]

/** The body of a function, with what differs from shard to shard left out. */
function templateOf(sql: string): string {
  return bodyOf(sql)
    .replaceAll('shard0000', '%S')
    .replace('| 0::bigint', '| %B::bigint')
    .replace(new RegExp(FLOOR_PATTERN), '%F')
}

/** Values of the statements: the schemas, and the two bodies that a `next_id()` of Hypervault has. */
function valuesOf(schemas: readonly string[], epochMs: number): readonly unknown[] {
  const floored = flooredNextIdSql(0, epochMs, { ms: 0, number: 0n })
  return [schemas, templateOf(nextIdSql(0, epochMs)), templateOf(floored)]
}

const shapes = `
with hv_shard as (
  select oid, nspname, nspowner, nspacl, substr(nspname, 6)::integer << 10 as bits from pg_namespace where nspname = any ($1)
),
hv_relation as (
  select hv_class.*, nspname
  from pg_class as hv_class join hv_shard on relnamespace = hv_shard.oid
  where relname <> 'hv_marker' and relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c')
),
hv_object as materialized (${objects}),
hv_line (nspname, text) as (${[...relationLines, ...codeLines(FLOOR_PATTERN), ...ownershipLines].join('\n  union all')}
),
hv_hstore as (
  select coalesce((select quote_ident(nspname) from pg_extension
    join pg_namespace on pg_namespace.oid = extnamespace where extname = 'hstore'), 'public') || '.' as prefix
),
hv_shape as (
  select nspname, replace(replace(replace(replace(text, prefix || 'hstore', 'hstore'), prefix, '<hstore>.'),
    nspname || '.', ''), nspname, '<schema>') as text
  from hv_line cross join hv_hstore
)`

/** The fingerprint of each schema that is there: `(schema, md5)`. */
export function selectFingerprints(schemas: readonly string[], epochMs: number): ServerStatement {
  const text = `${shapes}
select nspname, md5(string_agg(text, E'\\n' order by text collate "C")) from hv_shape group by nspname`
  return { text, values: valuesOf(schemas, epochMs) }
}

/** The lines of these schemas: `(schema, line)`. */
export function selectLines(schemas: readonly string[], epochMs: number): ServerStatement {
  const text = `${shapes}
select nspname, text from hv_shape order by text collate "C"`
  return { text, values: valuesOf(schemas, epochMs) }
}

/** The indexes that serve no query: `(schema, name)`. */
export function selectInvalidIndexes(schemas: readonly string[]): ServerStatement {
  const text = [
    'select nspname, relname',
    'from pg_catalog.pg_index join pg_catalog.pg_class as hv_class on hv_class.oid = indexrelid',
    'join pg_catalog.pg_namespace as hv_schema on hv_schema.oid = relnamespace',
    'where not indisvalid and nspname = any ($1)',
    'order by 1, 2',
  ].join('\n')
  return { text, values: [schemas] }
}
