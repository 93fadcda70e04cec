import { openSequences } from '../../closed-sequences-sql.ts'
import { isNoFence } from '../../fence-sql.ts'

/*
 * Lines about tables, views, sequences and indexes, and about what belongs to them. Each is a select of `(nspname, text)` over
 * `hv_shard` and `hv_relation` of shape-sql.ts.
 */

const options = `coalesce((
    select ' with (' || string_agg(hv_options.name, ', ' order by hv_options.name) || ')'
    from (
      select unnest(hv_relation.reloptions)
      union all
      select 'toast.' || unnest(hv_toast.reloptions) from pg_class as hv_toast where hv_toast.oid = hv_relation.reltoastrelid
    ) as hv_options (name)), '')`

const tables = `
  select nspname, format('table %I%s%s, replica identity %s%s%s%s%s', relname,
    case relpersistence when 'u' then ' unlogged' else '' end,
    (select case amname when 'heap' then '' else ' using ' || quote_ident(amname) end from pg_am where pg_am.oid = relam),
    relreplident,
    case when relrowsecurity then ', row security' else '' end,
    case when relforcerowsecurity then ', row security forced' else '' end,
    case when reloftype = 0 then '' else ', of type ' || reloftype::regtype end,
    ${options}) as text
  from hv_relation where relkind in ('r', 'p', 'f')
  union all
  select nspname, format('columns of %I in this order: %s', relname, string_agg(quote_ident(attname), ', ' order by attnum))
  from hv_relation join pg_attribute on attrelid = hv_relation.oid and attnum > 0 and not attisdropped
  where relkind in ('r', 'p', 'f')
  group by nspname, relname, hv_relation.oid
  union all
  select nspname, format('partitioned table %I by %s', relname, pg_get_partkeydef(hv_relation.oid))
  from hv_relation where relkind = 'p'
  union all
  select nspname, format('table %I inherits from %s%s', relname, inhparent::regclass,
    coalesce(' ' || pg_get_expr(relpartbound, hv_relation.oid), ''))
  from hv_relation join pg_inherits on inhrelid = hv_relation.oid
  where relkind in ('r', 'p', 'f')
  union all
  select nspname, format('foreign table %I of server %I (%s)', relname, srvname, array_to_string(ftoptions, ', '))
  from hv_relation join pg_foreign_table on ftrelid = hv_relation.oid join pg_foreign_server on pg_foreign_server.oid = ftserver`

const columns = `
  select nspname, format('column %I.%I %s%s%s%s%s', relname, attname, format_type(atttypid, atttypmod),
    case when attnotnull then ' not null' else '' end,
    case attgenerated when 's' then ' generated as ' when 'v' then ' virtual as ' else case when adbin is null then '' else ' default ' end end
      || coalesce(pg_get_expr(adbin, adrelid), ''),
    case attidentity when '' then '' else ' identity ' || attidentity::text end,
    case when attcollation in (0, typcollation) then '' else ' collate ' || attcollation::regcollation::text end)
  from hv_relation
  join pg_attribute on attrelid = hv_relation.oid and attnum > 0 and not attisdropped
  join pg_type as hv_type on hv_type.oid = atttypid
  left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where relkind in ('r', 'p', 'f')
  union all
  select nspname, format('column %I.%I:%s%s%s%s%s', relname, attname,
    case when attstorage = typstorage then '' else ' storage ' || attstorage::text end,
    case when attcompression = '' then '' else ' compression ' || attcompression::text end,
    case when coalesce(attstattarget, -1) = -1 then '' else ' statistics ' || attstattarget end,
    coalesce(' set (' || array_to_string(attoptions, ', ') || ')', ''),
    coalesce(' options (' || array_to_string(attfdwoptions, ', ') || ')', ''))
  from hv_relation
  join pg_attribute on attrelid = hv_relation.oid and attnum > 0 and not attisdropped
  join pg_type as hv_type on hv_type.oid = atttypid
  where relkind in ('r', 'p', 'f', 'm') and (attstorage <> typstorage or attcompression <> ''
    or coalesce(attstattarget, -1) <> -1 or attoptions is not null or attfdwoptions is not null)`

/** What must not be null has a name from PostgreSQL 18 on, which counts only if it is not the usual one. */
const constraints = `
  select nspname, format('constraint %I on %I: %s%s', conname, relname, pg_get_constraintdef(hv_constraint.oid),
    case when convalidated then '' else ' (not validated)' end)
  from hv_relation join pg_constraint as hv_constraint on conrelid = hv_relation.oid
  where relkind in ('r', 'p', 'f') and (contype <> 'n' or not convalidated or connoinherit or conname <> format('%s_%s_not_null', relname,
    (select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1])))`

const indexes = `
  select nspname, format('%s%s%s', pg_get_indexdef(indexrelid), case when indisvalid then '' else ' (invalid)' end,
    concat(case when indisclustered then ' (clustered)' end, case when indisreplident then ' (replica identity)' end))
  from hv_relation join pg_index on indrelid = hv_relation.oid
  union all
  select nspname, format('statistics target of column %s of index %I: %s', attnum, hv_index.relname, attstattarget)
  from hv_relation join pg_index on indrelid = hv_relation.oid
  join pg_class as hv_index on hv_index.oid = indexrelid
  join pg_attribute on attrelid = indexrelid
  where coalesce(attstattarget, -1) <> -1
  union all
  select nspname, format('%s%s', pg_get_statisticsobjdef(hv_statistics.oid),
    case when coalesce(stxstattarget, -1) = -1 then '' else ' statistics ' || stxstattarget end)
  from pg_statistic_ext as hv_statistics join hv_shard on stxnamespace = hv_shard.oid`

const actions = `
  select nspname, format('%s (%s)', pg_get_triggerdef(hv_trigger.oid), tgenabled)
  from hv_relation join pg_trigger as hv_trigger on tgrelid = hv_relation.oid
  where not tgisinternal and ${isNoFence}
  union all
  select nspname, format('%s (%s)', pg_get_ruledef(hv_rule.oid), ev_enabled)
  from hv_relation join pg_rewrite as hv_rule on ev_class = hv_relation.oid
  where rulename <> '_RETURN'
  union all
  select nspname, format('policy %I on %I as %s for %s to %s%s%s', polname, relname,
    case when polpermissive then 'permissive' else 'restrictive' end,
    case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
    (select string_agg(hv_role.name, ', ' order by hv_role.name) from (
      select case when hv_given.role = 0 then 'public' else quote_ident(pg_get_userbyid(hv_given.role)) end
      from unnest(polroles) as hv_given (role)) as hv_role (name)),
    coalesce(' using (' || pg_get_expr(polqual, polrelid) || ')', ''),
    coalesce(' with check (' || pg_get_expr(polwithcheck, polrelid) || ')', ''))
  from hv_relation join pg_policy on polrelid = hv_relation.oid`

const views = `
  select nspname, format('%s %I%s: %s%s', case relkind when 'm' then 'materialized view' else 'view' end, relname, ${options},
    pg_get_viewdef(hv_relation.oid), case when relispopulated then '' else ' (with no data)' end)
  from hv_relation where relkind in ('v', 'm')
  union all
  select nspname, format('default of %I.%I: %s', relname, attname, pg_get_expr(adbin, adrelid))
  from hv_relation join pg_attrdef on adrelid = hv_relation.oid join pg_attribute on attrelid = adrelid and attnum = adnum
  where relkind = 'v'`

const sequences = `
  select nspname, format('sequence %I %s from %s by %s, %s to %s, cache %s%s%s%s', relname, seqtypid::regtype, seqstart,
    seqincrement, seqmin, seqmax, seqcache, case when seqcycle then ', cycle' else '' end,
    case relpersistence when 'u' then ', unlogged' else '' end,
    (select format(', of column %s.%I', attrelid::regclass, attname)
     from pg_depend join pg_attribute on attrelid = refobjid and attnum = refobjsubid
     where classid = 'pg_class'::regclass and objid = seqrelid and deptype in ('a', 'i') and refclassid = 'pg_class'::regclass))
  from hv_relation join ${openSequences} as hv_sequence on seqrelid = hv_relation.oid`

/** Where a table of a shard is published, other than by a move. */
const publications = `
  select nspname, format('table %I in publication %I%s%s', relname, pubname,
    (select format(' (%s)', string_agg(quote_ident(attname), ', ' order by attnum))
     from unnest(prattrs) as hv_published (number) join pg_attribute on attrelid = prrelid and attnum = hv_published.number
     having count(*) > 0),
    coalesce(' where ' || pg_get_expr(prqual, prrelid), ''))
  from hv_relation join pg_publication_rel on prrelid = hv_relation.oid join pg_publication on pg_publication.oid = prpubid
  where pubname !~ '^hv_(move|back)_'
  union all
  select nspname, format('schema in publication %I', pubname)
  from hv_shard join pg_publication_namespace on pnnspid = hv_shard.oid join pg_publication on pg_publication.oid = pnpubid`

/** The selects, each of lines of its own. */
export const relationLines: readonly string[] = [
  ...[tables, columns, constraints, indexes, actions, views, sequences, publications],
]
