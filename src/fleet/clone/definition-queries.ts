/*
 * What a schema is made of, read from the catalogs of PostgreSQL: there is no pg_dump. Each query gives statements, one
 * a row, made by the server's own functions where it has them. They run with an empty search path, so that every name
 * that they give is qualified; `$1` is the schema. Objects of extensions, and those of a move (`hv_fence`, `hv_marker`),
 * are left out.
 */

const isOwnTable = "relnamespace = $1::regnamespace and relname <> 'hv_marker'"

const isNoExtension = (catalog: string, oid: string): string =>
  `not exists (select from pg_depend where classid = '${catalog}'::regclass and objid = ${oid} and deptype = 'e')`

/** Two transactions that make an extension at once get a unique violation, whatever "if not exists" says: "hvextens". */
const EXTENSION_LOCK = '7527315395219648115'

/** The extension that every shard needs, where the source keeps it. */
export const selectExtension = `
select statement
from pg_extension join pg_namespace on pg_namespace.oid = extnamespace,
lateral (values
  (1, 'select pg_advisory_xact_lock(${EXTENSION_LOCK})'),
  (2, format('create extension if not exists hstore with schema %I', nspname))) as made (place, statement)
where extname = 'hstore' and $1::regnamespace is not null
order by place`

/** Enumerations, domains and composite types. */
export const selectTypes = `
select case typtype
  when 'e' then format('create type %s as enum (%s)', oid::regtype,
    (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = pg_type.oid))
  when 'd' then format('create domain %s as %s%s%s%s', oid::regtype, format_type(typbasetype, typtypmod),
    case when typdefault is null then '' else ' default ' || typdefault end,
    case when typnotnull then ' not null' else '' end,
    (select coalesce(string_agg(format(' constraint %I %s', conname, pg_get_constraintdef(oid)), '' order by conname), '')
     from pg_constraint where contypid = pg_type.oid and contype = 'c'))
  else format('create type %s as (%s)', oid::regtype,
    (select string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' order by attnum)
     from pg_attribute where attrelid = typrelid and attnum > 0 and not attisdropped))
  end
from pg_type
where typnamespace = $1::regnamespace and ${isNoExtension('pg_type', 'oid')}
  and (typtype in ('e', 'd') or typtype = 'c' and (select relkind = 'c' from pg_class where pg_class.oid = typrelid))
order by oid`

/** Sequences, without those that belong to an identity column and come with it. */
export const selectSequences = `
select format('create sequence %s as %s increment by %s minvalue %s maxvalue %s start with %s cache %s%s',
  pg_class.oid::regclass, seqtypid::regtype, seqincrement, seqmin, seqmax, seqstart, seqcache,
  case when seqcycle then ' cycle' else '' end)
from pg_class join pg_sequence on seqrelid = pg_class.oid
where ${isOwnTable}
  and not exists (select from pg_depend where objid = pg_class.oid and classid = 'pg_class'::regclass and deptype = 'i')
order by relname`

/** Functions and procedures. */
export const selectFunctions = `
select pg_get_functiondef(oid)
from pg_proc
where pronamespace = $1::regnamespace and prokind in ('f', 'p') and proname <> 'hv_fence'
  and ${isNoExtension('pg_proc', 'oid')}
order by oid`

/** Tables with their columns. */
export const selectTables = `
select format(E'create table %s (\\n%s\\n)%s', pg_class.oid::regclass,
  (select string_agg(format('  %I %s%s%s%s%s', attname, format_type(atttypid, atttypmod),
      case when attcollation <> typcollation then ' collate ' || attcollation::regcollation else '' end,
      case when attcompression <> '' then ' compression ' || case attcompression when 'p' then 'pglz' else 'lz4' end else '' end,
      case
        when attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(adbin, adrelid))
        when attgenerated = 'v' then format(' generated always as (%s) virtual', pg_get_expr(adbin, adrelid))
        when attidentity <> '' then (
          select format(' generated %s as identity (sequence name %s increment by %s minvalue %s maxvalue %s start with %s cache %s%s)',
            case attidentity when 'a' then 'always' else 'by default' end,
            seqrelid::regclass, seqincrement, seqmin, seqmax, seqstart, seqcache, case when seqcycle then ' cycle' else '' end)
          from pg_sequence join pg_depend on objid = seqrelid and classid = 'pg_class'::regclass and deptype = 'i'
          where refclassid = 'pg_class'::regclass and refobjid = attrelid and refobjsubid = attnum)
        when adbin is not null then ' default ' || pg_get_expr(adbin, adrelid)
        else ''
      end,
      case when attnotnull then ' not null' else '' end), E',\\n' order by attnum)
   from pg_attribute
   join pg_type on pg_type.oid = atttypid
   left join pg_attrdef on adrelid = attrelid and adnum = attnum
   where attrelid = pg_class.oid and attnum > 0 and not attisdropped),
  case when reloptions is null then '' else format(' with (%s)', array_to_string(reloptions, ', ')) end)
from pg_class
where relkind = 'r' and ${isOwnTable}
order by relname`

/** Columns that are not stored as their type is by default. */
export const selectStorage = `
select format('alter table %s alter column %I set storage %s', attrelid::regclass, attname,
  case attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end)
from pg_attribute join pg_class on pg_class.oid = attrelid join pg_type on pg_type.oid = atttypid
where relkind = 'r' and ${isOwnTable} and attnum > 0 and not attisdropped and attstorage <> typstorage
order by relname, attnum`

/** Primary keys: the stream cannot be applied without them. */
export const selectPrimaryKeys = `
select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint join pg_class on pg_class.oid = conrelid
where contype = 'p' and ${isOwnTable}
order by relname`

/** Indexes that tell rows apart in the stream, and what the stream says of changed rows. */
export const selectIdentityIndexes = `
select pg_get_indexdef(indexrelid)
from pg_index join pg_class on pg_class.oid = indrelid
where indisreplident and not indisprimary and ${isOwnTable}
  and not exists (select from pg_constraint where conindid = indexrelid)
order by relname`

/** What the stream says of changed rows, where it is not the primary key. */
export const selectReplicaIdentities = `
select format('alter table %s replica identity %s', pg_class.oid::regclass, case relreplident
  when 'f' then 'full'
  when 'n' then 'nothing'
  else (select format('using index %I', own.relname) from pg_index join pg_class as own on own.oid = indexrelid
        where indrelid = pg_class.oid and indisreplident) end)
from pg_class
where relkind = 'r' and relreplident <> 'd' and ${isOwnTable}
order by relname`

/** Unique and exclusion constraints, checks. */
export const selectConstraints = `
select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint join pg_class on pg_class.oid = conrelid
where contype in ('u', 'x', 'c') and conislocal and relkind = 'r' and ${isOwnTable}
order by relname, conname`

/** Indexes that belong to no constraint, those of materialized views last. */
export const selectIndexes = `
select pg_get_indexdef(indexrelid)
from pg_index join pg_class on pg_class.oid = indrelid
where ${isOwnTable} and relkind in ('r', 'm')
  and (relkind = 'm' or not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x')))
  and not (indisreplident and not indisprimary)
order by relkind desc, relname, indexrelid::regclass::text`

/** Foreign keys, after all keys that they refer to. */
export const selectForeignKeys = `
select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint join pg_class on pg_class.oid = conrelid
where contype = 'f' and ${isOwnTable}
order by relname, conname`

/** Views in the order of their making, which is one in which they can be made. */
export const selectViews = `
select format(E'create %s %s%s as\\n%s', case relkind when 'm' then 'materialized view' else 'view' end, oid::regclass,
  case when reloptions is null then '' else format(' with (%s)', array_to_string(reloptions, ', ')) end,
  rtrim(pg_get_viewdef(oid), '; '))
from pg_class
where relkind in ('v', 'm') and ${isOwnTable}
order by oid`

/** Triggers, and which of them are switched off. */
export const selectTriggers = `
select pg_get_triggerdef(pg_trigger.oid)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where not tgisinternal and tgname <> 'hv_fence' and ${isOwnTable}
union all
select format('alter table %s disable trigger %I', tgrelid::regclass, tgname)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where not tgisinternal and tgenabled = 'D' and tgname <> 'hv_fence' and ${isOwnTable}`

/** Rules other than those that views are made of. */
export const selectRules = `
select pg_get_ruledef(pg_rewrite.oid)
from pg_rewrite join pg_class on pg_class.oid = ev_class
where rulename <> '_RETURN' and ${isOwnTable}
order by relname, rulename`

/** Row security, and its policies. */
export const selectPolicies = `
select format('alter table %s %s row level security', oid::regclass, word)
from pg_class, lateral (values (relrowsecurity, 'enable'), (relforcerowsecurity, 'force')) as row_security (is_on, word)
where relkind = 'r' and is_on and ${isOwnTable}
union all
select format('create policy %I on %s as %s for %s to %s%s%s', polname, polrelid::regclass,
  case when polpermissive then 'permissive' else 'restrictive' end,
  case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
  (select string_agg(case when role = 0 then 'public' else quote_ident(pg_get_userbyid(role)) end, ', ') from unnest(polroles) as role),
  case when polqual is null then '' else format(' using (%s)', pg_get_expr(polqual, polrelid)) end,
  case when polwithcheck is null then '' else format(' with check (%s)', pg_get_expr(polwithcheck, polrelid)) end)
from pg_policy join pg_class on pg_class.oid = polrelid
where ${isOwnTable}`

/** Extended statistics. */
export const selectStatistics = `
select pg_get_statisticsobjdef(oid) from pg_statistic_ext where stxnamespace = $1::regnamespace order by stxname`

/** Sequences that go when their column goes. */
export const selectSequenceOwners = `
select format('alter sequence %s owned by %s.%I', pg_class.oid::regclass, refobjid::regclass, attname)
from pg_class
join pg_depend on objid = pg_class.oid and classid = 'pg_class'::regclass and deptype = 'a' and refclassid = 'pg_class'::regclass
join pg_attribute on attrelid = refobjid and attnum = refobjsubid
where relkind = 'S' and ${isOwnTable}
order by relname`

/** Comments on the schema and on everything in it. */
export const selectComments = `
select format('comment on %s is %L',
  case classoid
    when 'pg_namespace'::regclass then 'schema ' || objoid::regnamespace
    when 'pg_proc'::regclass then 'routine ' || objoid::regprocedure
    when 'pg_type'::regclass then 'type ' || objoid::regtype
    when 'pg_constraint'::regclass then
      (select format('constraint %I on %s', conname, conrelid::regclass) from pg_constraint where oid = objoid)
    when 'pg_trigger'::regclass then
      (select format('trigger %I on %s', tgname, tgrelid::regclass) from pg_trigger where oid = objoid)
    else
      (select case
          when objsubid > 0 then format('column %s.%I', objoid::regclass,
            (select attname from pg_attribute where attrelid = objoid and attnum = objsubid))
          when relkind = 'S' then 'sequence ' || objoid::regclass
          when relkind = 'i' then 'index ' || objoid::regclass
          when relkind = 'v' then 'view ' || objoid::regclass
          when relkind = 'm' then 'materialized view ' || objoid::regclass
          else 'table ' || objoid::regclass end
       from pg_class where oid = objoid)
  end, description)
from pg_description
where (classoid = 'pg_namespace'::regclass and objoid = $1::regnamespace)
  or (classoid = 'pg_class'::regclass and objoid in (select oid from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'S', 'v', 'm', 'i')))
  or (classoid = 'pg_proc'::regclass and objoid in (select oid from pg_proc where pronamespace = $1::regnamespace))
  or (classoid = 'pg_type'::regclass and objoid in (select oid from pg_type where typnamespace = $1::regnamespace and typtype in ('e', 'd')))
  or (classoid = 'pg_constraint'::regclass and objoid in (select oid from pg_constraint where connamespace = $1::regnamespace and conrelid <> 0))
  or (classoid = 'pg_trigger'::regclass and objoid in
    (select pg_trigger.oid from pg_trigger join pg_class on pg_class.oid = tgrelid where relnamespace = $1::regnamespace))
order by 1`
