import { openSequences } from '../../schema/closed-sequences-sql.ts'
import { isNoFence } from '../../schema/fence-sql.ts'
import { hasOwnStatement, isOwnTable } from './object-queries.ts'

/*
 * What a schema is made of beside its types, functions, tables and views (object-queries.ts), read from the catalogs of
 * PostgreSQL: there is no pg_dump. Each query gives statements, one a row, made by the server's own functions where it has
 * them. They run with an empty search path, so that every name that they give is qualified; `$1` is the schema. Objects of
 * extensions, and those of a move (`hv_fence`, `hv_marker`), are left out.
 */

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

/** Sequences, without those that belong to an identity column and come with it. */
export const selectSequences = `
select format('create sequence %s as %s increment by %s minvalue %s maxvalue %s start with %s cache %s%s',
  pg_class.oid::regclass, seqtypid::regtype, seqincrement, seqmin, seqmax, seqstart, seqcache,
  case when seqcycle then ' cycle' else '' end)
from pg_class join ${openSequences} as hv_sequence on seqrelid = pg_class.oid
where ${isOwnTable}
  and not exists (select from pg_depend where objid = pg_class.oid and classid = 'pg_class'::regclass and deptype = 'i')
order by relname`

/** What is said of columns beside their definition: how they are stored, and what ANALYZE does with them. */
export const selectColumnSettings = `
select format('alter table %s alter column %I set storage %s', attrelid::regclass, attname,
  case attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end)
from pg_attribute join pg_class on pg_class.oid = attrelid join pg_type on pg_type.oid = atttypid
where relkind = 'r' and ${isOwnTable} and attnum > 0 and not attisdropped and attstorage <> typstorage
union all
select format('alter table %s alter column %I set statistics %s', attrelid::regclass, attname, attstattarget)
from pg_attribute join pg_class on pg_class.oid = attrelid
where relkind = 'r' and ${isOwnTable} and attnum > 0 and not attisdropped and attstattarget >= 0
union all
select format('alter table %s alter column %I set (%s)', attrelid::regclass, attname, array_to_string(attoptions, ', '))
from pg_attribute join pg_class on pg_class.oid = attrelid
where relkind = 'r' and ${isOwnTable} and attnum > 0 and not attisdropped and attoptions is not null
order by 1`

/** Defaults of the columns of views. */
export const selectViewDefaults = `
select format('alter view %s alter column %I set default %s', adrelid::regclass, attname, pg_get_expr(adbin, adrelid))
from pg_attrdef join pg_class on pg_class.oid = adrelid join pg_attribute on attrelid = adrelid and attnum = adnum
where relkind = 'v' and ${isOwnTable}
order by 1`

/** Primary keys: the stream cannot be applied without them. */
export const selectPrimaryKeys = `
select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint join pg_class on pg_class.oid = conrelid
where contype = 'p' and ${isOwnTable}
order by relname`

/** Indexes that tell rows apart in the stream, be they those of a constraint or not. */
export const selectIdentityIndexes = `
select coalesce(
  (select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
   from pg_constraint where conindid = indexrelid and contype = 'u'),
  pg_get_indexdef(indexrelid))
from pg_index join pg_class on pg_class.oid = indrelid
where indisreplident and not indisprimary and ${isOwnTable}
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

/** Unique and exclusion constraints, checks, and what must not be null but was never looked at (from PostgreSQL 18 on). */
export const selectConstraints = `
select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint join pg_class on pg_class.oid = conrelid
where (contype in ('u', 'x', 'c') or contype = 'n' and not convalidated) and conislocal and relkind = 'r' and ${isOwnTable}
  and not exists (select from pg_index where indexrelid = conindid and indisreplident)
order by relname, conname`

/** Indexes that belong to no constraint, those of materialized views last. */
export const selectIndexes = `
select pg_get_indexdef(indexrelid)
from pg_index join pg_class on pg_class.oid = indrelid
where ${isOwnTable} and relkind in ('r', 'm')
  and (relkind = 'm' or not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x')))
  and not (indisreplident and not indisprimary)
order by relkind desc, relname, indexrelid::regclass::text`

/** What is said of indexes beside their definition: the order in which CLUSTER puts a table, and what ANALYZE does. */
export const selectIndexSettings = `
select format('alter table %s cluster on %I', indrelid::regclass, own.relname)
from pg_index join pg_class on pg_class.oid = indrelid join pg_class as own on own.oid = indexrelid
where indisclustered and pg_class.relnamespace = $1::regnamespace
union all
select format('alter index %s alter column %s set statistics %s', attrelid::regclass, attnum, attstattarget)
from pg_attribute join pg_class on pg_class.oid = attrelid
where relkind = 'i' and ${isOwnTable} and attstattarget >= 0
order by 1`

/** Foreign keys, after all keys that they refer to. */
export const selectForeignKeys = `
select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(pg_constraint.oid))
from pg_constraint join pg_class on pg_class.oid = conrelid
where contype = 'f' and ${isOwnTable}
order by relname, conname`

/** Triggers, and which of them are switched off. */
export const selectTriggers = `
select pg_get_triggerdef(pg_trigger.oid)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where not tgisinternal and ${isNoFence} and ${isOwnTable}
union all
select format('alter table %s disable trigger %I', tgrelid::regclass, tgname)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where not tgisinternal and tgenabled = 'D' and ${isNoFence} and ${isOwnTable}`

/** Rules other than those that views are made of, and which of them are switched off. */
export const selectRules = `
select pg_get_ruledef(pg_rewrite.oid)
from pg_rewrite join pg_class on pg_class.oid = ev_class
where rulename <> '_RETURN' and ${isOwnTable}
union all
select format('alter table %s disable rule %I', ev_class::regclass, rulename)
from pg_rewrite join pg_class on pg_class.oid = ev_class
where ev_enabled = 'D' and ${isOwnTable}`

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
select pg_get_statisticsobjdef(oid) from pg_statistic_ext where stxnamespace = $1::regnamespace
union all
select format('alter statistics %s.%I set statistics %s', stxnamespace::regnamespace, stxname, stxstattarget)
from pg_statistic_ext where stxnamespace = $1::regnamespace and stxstattarget >= 0`

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
      (select case when contypid = 0 then format('constraint %I on %s', conname, conrelid::regclass)
         else format('constraint %I on domain %s', conname, contypid::regtype) end
       from pg_constraint where oid = objoid)
    when 'pg_policy'::regclass then (select format('policy %I on %s', polname, polrelid::regclass) from pg_policy where oid = objoid)
    when 'pg_rewrite'::regclass then (select format('rule %I on %s', rulename, ev_class::regclass) from pg_rewrite where oid = objoid)
    when 'pg_statistic_ext'::regclass then
      (select format('statistics %s.%I', stxnamespace::regnamespace, stxname) from pg_statistic_ext where oid = objoid)
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
  or (classoid = 'pg_class'::regclass and objoid in (select oid from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'S', 'v', 'm', 'i', 'c')))
  or (classoid = 'pg_proc'::regclass and objoid in (select oid from pg_proc where pronamespace = $1::regnamespace and proname <> 'hv_fence'))
  or (classoid = 'pg_type'::regclass and objoid in (select oid from pg_type where typnamespace = $1::regnamespace and ${hasOwnStatement}))
  or (classoid = 'pg_constraint'::regclass and objoid in (select oid from pg_constraint where connamespace = $1::regnamespace))
  or (classoid = 'pg_trigger'::regclass and objoid in
    (select pg_trigger.oid from pg_trigger join pg_class on pg_class.oid = tgrelid where relnamespace = $1::regnamespace))
  or (classoid = 'pg_policy'::regclass and objoid in
    (select pg_policy.oid from pg_policy join pg_class on pg_class.oid = polrelid where relnamespace = $1::regnamespace))
  or (classoid = 'pg_rewrite'::regclass and objoid in
    (select pg_rewrite.oid from pg_rewrite join pg_class on pg_class.oid = ev_class where relnamespace = $1::regnamespace))
  or (classoid = 'pg_statistic_ext'::regclass and objoid in (select oid from pg_statistic_ext where stxnamespace = $1::regnamespace))
order by 1`
