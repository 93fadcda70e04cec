import { bodyOf, FLOOR_PATTERN, flooredNextIdSql, nextIdSql } from '../../key/next-id-sql.ts'
import { SPREAD_FUNCTION } from '../../topology/spread-sql.ts'
import type { ServerStatement } from '../server-session.ts'

/*
 * The shape of a shard: what its schema is made of, as lines of text in which the name of the schema and the number of the
 * shard are left out, so that shards of the same make have the same lines. They are read from the catalogs of PostgreSQL
 * for all shards of a server in one statement; a fingerprint is the md5 of the sorted lines.
 *
 * What a move puts there for its time (`hv_fence`, `hv_marker`) is no part of the shape, nor is the floor of a
 * `next_id()`, which only says that a clock was behind once.
 */

/** Qualifies every name in what PostgreSQL prints, whatever the search path of the role is. */
export const OPENING: readonly string[] = [
  'begin isolation level repeatable read read only',
  "set local search_path = ''",
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
with shard as (
  select oid, nspname, substr(nspname, 6)::integer << 10 as bits from pg_catalog.pg_namespace where nspname = any ($1)
),
relation as (
  select class.oid, relname, relkind, relpersistence, relreplident, relrowsecurity, nspname
  from pg_catalog.pg_class as class join shard on relnamespace = shard.oid
  where relname <> 'hv_marker'
),
stored as (select * from relation where relkind in ('r', 'p')),
line as (
  select nspname, format('table %I%s, replica identity %s%s', relname,
    case relpersistence when 'u' then ' unlogged' else '' end, relreplident,
    case when relrowsecurity then ', row security' else '' end) as text
  from stored
  union all
  select nspname, format('column %I.%I %s%s%s%s%s', relname, attname, format_type(atttypid, atttypmod),
    case when attnotnull then ' not null' else '' end,
    case attgenerated when 's' then ' generated as ' when 'v' then ' virtual as ' else case when adbin is null then '' else ' default ' end end
      || coalesce(pg_get_expr(adbin, adrelid), ''),
    case attidentity when '' then '' else ' identity ' || attidentity::text end,
    case when attcollation in (0, typcollation) then '' else ' collate ' || attcollation::regcollation::text end)
  from stored
  join pg_catalog.pg_attribute on attrelid = stored.oid and attnum > 0 and not attisdropped
  join pg_catalog.pg_type as type on type.oid = atttypid
  left join pg_catalog.pg_attrdef on adrelid = attrelid and adnum = attnum
  union all
  select nspname, format('constraint %I on %I: %s%s', conname, relname, pg_get_constraintdef(con.oid),
    case when convalidated then '' else ' (not validated)' end)
  from stored join pg_catalog.pg_constraint as con on conrelid = stored.oid
  where contype <> 'n'
  union all
  select nspname, format('%s%s', pg_get_indexdef(indexrelid), case when indisvalid then '' else ' (invalid)' end)
  from stored join pg_catalog.pg_index on indrelid = stored.oid
  union all
  select nspname, format('%s (%s)', pg_get_triggerdef(trigger.oid), tgenabled)
  from stored join pg_catalog.pg_trigger as trigger on tgrelid = stored.oid
  where not tgisinternal and tgname <> 'hv_fence'
  union all
  select nspname, case
    when proname = 'next_id' and prosrc = replace(replace($2, '%S', nspname), '%B', bits::text) then 'function next_id()'
    when proname = 'next_id'
      and regexp_replace(prosrc, '${FLOOR_PATTERN}', '%F') = replace(replace($3, '%S', nspname), '%B', bits::text)
      then 'function next_id()'
    when prokind in ('f', 'p', 'w') then pg_get_functiondef(proc.oid)
    else format('aggregate %s(%s)', proname, pg_get_function_identity_arguments(proc.oid)) end
  from pg_catalog.pg_proc as proc join shard on pronamespace = shard.oid
  where proname not in ('hv_fence', '${SPREAD_FUNCTION}')
  union all
  select nspname, format('%s %I: %s', case relkind when 'm' then 'materialized view' else 'view' end, relname,
    pg_get_viewdef(relation.oid))
  from relation where relkind in ('v', 'm')
  union all
  select nspname, format('sequence %I %s from %s by %s, %s to %s, cache %s%s', relname, seqtypid::regtype, seqstart,
    seqincrement, seqmin, seqmax, seqcache, case when seqcycle then ', cycle' else '' end)
  from relation join pg_catalog.pg_sequence on seqrelid = relation.oid
  union all
  select nspname, format('type %I: %s', typname, (
    select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_catalog.pg_enum where enumtypid = type.oid))
  from pg_catalog.pg_type as type join shard on typnamespace = shard.oid
  where typtype = 'e'
  union all
  select nspname, format('domain %I %s%s', typname, format_type(typbasetype, typtypmod), ' default ' || typdefault)
  from pg_catalog.pg_type as type join shard on typnamespace = shard.oid
  where typtype = 'd'
),
hstore as (
  select coalesce((select nspname from pg_catalog.pg_extension
    join pg_catalog.pg_namespace as schema on schema.oid = extnamespace where extname = 'hstore'), 'public') as name
),
shape as (
  select nspname, replace(replace(replace(text, nspname || '.', ''), nspname, '<schema>'), hstore.name || '.', '') as text
  from line cross join hstore
)`

/** The fingerprint of each schema that is there: `(schema, md5)`. */
export function selectFingerprints(schemas: readonly string[], epochMs: number): ServerStatement {
  const text = `${shapes}
select nspname, md5(string_agg(text, E'\\n' order by text collate "C")) from shape group by nspname`
  return { text, values: valuesOf(schemas, epochMs) }
}

/** The lines of these schemas: `(schema, line)`. */
export function selectLines(schemas: readonly string[], epochMs: number): ServerStatement {
  const text = `${shapes}
select nspname, text from shape order by text collate "C"`
  return { text, values: valuesOf(schemas, epochMs) }
}

/** The indexes that serve no query: `(schema, name)`. */
export function selectInvalidIndexes(schemas: readonly string[]): ServerStatement {
  const text = [
    'select nspname, class.relname',
    'from pg_catalog.pg_index join pg_catalog.pg_class as class on class.oid = indexrelid',
    'join pg_catalog.pg_namespace as schema on schema.oid = relnamespace',
    'where not indisvalid and nspname = any ($1)',
    'order by 1, 2',
  ].join('\n')
  return { text, values: [schemas] }
}
