import { isNoFence } from '../../schema/fence-sql.ts'
import { isNoExtension } from './object-queries.ts'
import { ofShards } from './shards-sql.ts'

/*
 * What keeps shards from moving, and what they need where they go to; what depends on them from outside is in
 * dependents.ts. As in shards-sql.ts, `$1` are the schemas, and each row begins with the schema that it is about.
 */

const isTable = "relkind = 'r' and relname <> 'hv_marker'"

const hasKey = (further = ''): string =>
  `exists (select from pg_index where indrelid = pg_class.oid and indisprimary ${further})`

/** PostgreSQL has no operator class for these, nor for arrays of them and domains over them. */
const isWithoutEquality = `(
  select bare.typcategory = 'G' or bare.typname in ('json', 'xml', 'jsonpath', 'pg_snapshot', 'txid_snapshot')
  from pg_type as bare
  where bare.oid = case pg_type.typcategory when 'A' then pg_type.typelem else coalesce(nullif(pg_type.typbasetype, 0), pg_type.oid) end)`

/** Problems of what is in a schema, in words: what it is, and after a colon what to do. */
export const selectRefusals = `${ofShards}
select schema, format('%s %s cannot be carried: %s',
  case relkind when 'p' then 'partitioned table' else 'foreign table' end, oid::regclass,
  case relkind when 'p' then 'make its partitions tables of their own, behind a view' else 'drop it before the move, and make it again after' end)
from pg_class join shard on relnamespace = id
where relkind in ('p', 'f')
union all
select schema, format('table %s is unlogged, so its rows are not in the stream: alter table %s set logged', oid::regclass, oid::regclass)
from pg_class join shard on relnamespace = id
where relkind = 'r' and relpersistence = 'u'
union all
select schema, format('table %s has no replica identity: give it a primary key, or run: alter table %s replica identity full',
  pg_class.oid::regclass, pg_class.oid::regclass)
from pg_class join shard on relnamespace = id
where ${isTable} and (relreplident = 'n' or relreplident = 'd' and not ${hasKey()})
union all
select schema, format('the primary key of table %s is deferrable, so the stream cannot tell rows apart by it: alter table %s replica identity full',
  pg_class.oid::regclass, pg_class.oid::regclass)
from pg_class join shard on relnamespace = id
where ${isTable} and relreplident = 'd' and ${hasKey()} and not ${hasKey('and indimmediate')}
union all
select schema, format('column %I of %s is generated, so it is not in the stream, which tells rows apart by it: alter table %s alter column %I drop expression',
  attname, attrelid::regclass, attrelid::regclass, attname)
from pg_class join shard on relnamespace = id join pg_index on indrelid = pg_class.oid
join pg_attribute on attrelid = indrelid and attnum = any (indkey[:indnkeyatts - 1])
where ${isTable} and attgenerated <> '' and (indisprimary or indisreplident)
union all
select schema, format('column %I of %s has the type %s, which knows no equality, and rows are told apart by all columns: give the table a primary key',
  attname, attrelid::regclass, format_type(atttypid, atttypmod))
from pg_class join shard on relnamespace = id join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
join pg_type on pg_type.oid = atttypid
where ${isTable} and relreplident = 'f' and not ${hasKey('and indimmediate')} and ${isWithoutEquality}
union all
select schema, format('table %s belongs to %I, who may not %s there, and as whom rows are written: grant %s on %s to %I',
  pg_class.oid::regclass, pg_get_userbyid(relowner), privilege, privilege, pg_class.oid::regclass, pg_get_userbyid(relowner))
from pg_class join shard on relnamespace = id, unnest(array['select', 'insert', 'update', 'delete', 'truncate']) as privilege
where ${isTable} and relacl is not null
  and not exists (select from aclexplode(relacl) where grantee = relowner and privilege_type = upper(privilege))
union all
select schema, format('table %s has foreign keys that are switched off, which is not carried: alter table %s enable trigger all',
  tgrelid::regclass, tgrelid::regclass)
from pg_trigger join pg_class on pg_class.oid = tgrelid join shard on relnamespace = id
where ${isTable} and tgisinternal and tgenabled <> 'O'
group by schema, tgrelid
union all
select schema, format('rule %I of %s acts on replicated rows, and would act twice: alter table %s enable rule %I',
  rulename, ev_class::regclass, ev_class::regclass, rulename)
from pg_rewrite join pg_class on pg_class.oid = ev_class join shard on relnamespace = id
where ${isTable} and ev_enabled in ('A', 'R')
union all
select schema, format('table %s is of type %s, which is not carried: alter table %s not of', pg_class.oid::regclass, reloftype::regtype, pg_class.oid::regclass)
from pg_class join shard on relnamespace = id
where ${isTable} and reloftype <> 0
union all
select schema, format('table %s inherits, which is not carried: alter table %s', inhrelid::regclass,
  case when pg_class.relispartition then format('%s detach partition %s', inhparent::regclass, inhrelid::regclass)
    else format('%s no inherit %s', inhrelid::regclass, inhparent::regclass) end)
from pg_inherits join pg_class on pg_class.oid = inhrelid
join shard on pg_class.relnamespace = id
where pg_class.relkind = 'r'
union all
select schema, format('%s %s cannot be carried: drop it before the move, and make it again after',
  case prokind when 'a' then 'aggregate' else 'window function' end, oid::regprocedure)
from pg_proc join shard on pronamespace = id
where prokind in ('a', 'w') and ${isNoExtension('pg_proc', 'pg_proc.oid')}
union all
select schema, format('type %s cannot be carried: use one of another schema', oid::regtype)
from pg_type join shard on typnamespace = id
where (typtype in ('r', 'm', 'p') or typtype = 'b' and typcategory <> 'A') and ${isNoExtension('pg_type', 'pg_type.oid')}
union all
select schema, format('trigger %I on %s fires for replicated rows, and would fire twice: alter table %s enable trigger %I',
  tgname, tgrelid::regclass, tgrelid::regclass, tgname)
from pg_trigger join pg_class on pg_class.oid = tgrelid join shard on relnamespace = id
where not tgisinternal and tgenabled in ('A', 'R') and ${isNoFence}
union all
select schema, format('table %s is written by subscription %I of this server, which no other server has: drop subscription %I, or leave the table out of what it is subscribed to, and run: alter subscription %I refresh publication',
  pg_class.oid::regclass, subname, subname, subname)
from pg_subscription_rel join pg_subscription on pg_subscription.oid = srsubid
join pg_class on pg_class.oid = srrelid join shard on relnamespace = id
where subname !~ '^hv_(move|back)_'
union all
select schema, format('foreign key %I of %s leads out of the shard, to %s: drop it, because the other server has other rows',
  conname, conrelid::regclass, confrelid::regclass)
from pg_constraint join pg_class on pg_class.oid = conrelid join pg_class as other on other.oid = confrelid
join shard on pg_class.relnamespace = id
where contype = 'f' and other.relnamespace <> id
union all
select schema, format('index %s is invalid: reindex index concurrently %s, or drop it', indexrelid::regclass, indexrelid::regclass)
from pg_index join pg_class on pg_class.oid = indrelid join shard on relnamespace = id
where not indisvalid
union all
select schema, format('column %I of %s may refer to large objects, which are not replicated: keep them in a bytea column', attname, attrelid::regclass)
from pg_attribute join pg_class on pg_class.oid = attrelid join shard on relnamespace = id
where relkind = 'r' and attnum > 0 and not attisdropped and atttypid = 'oid'::regtype
  and exists (select from pg_largeobject_metadata)
union all
select distinct schema, format('view %s depends on something outside the shard, %s: drop it before the move, and make it again after',
  ev_class::regclass, refobjid::regclass)
from pg_rewrite join pg_class on pg_class.oid = ev_class join shard on pg_class.relnamespace = id
join pg_depend on classid = 'pg_rewrite'::regclass and objid = pg_rewrite.oid and refclassid = 'pg_class'::regclass
join pg_class as other on other.oid = refobjid
where other.relnamespace not in (id, 'pg_catalog'::regnamespace)
union all
select schema, format('%s %I in schema %s cannot be carried: keep it in another schema', word, name, schema)
from shard join (
  select 'collation', collname, collnamespace from pg_collation where ${isNoExtension('pg_collation', 'pg_collation.oid')}
  union all select 'conversion', conname, connamespace from pg_conversion
  union all select 'operator', oprname, oprnamespace from pg_operator where ${isNoExtension('pg_operator', 'pg_operator.oid')}
  union all select 'operator class', opcname, opcnamespace from pg_opclass where ${isNoExtension('pg_opclass', 'pg_opclass.oid')}
  union all select 'operator family', opfname, opfnamespace from pg_opfamily where ${isNoExtension('pg_opfamily', 'pg_opfamily.oid')}
  union all select 'text search configuration', cfgname, cfgnamespace from pg_ts_config
  union all select 'text search dictionary', dictname, dictnamespace from pg_ts_dict
  union all select 'text search parser', prsname, prsnamespace from pg_ts_parser
  union all select 'text search template', tmplname, tmplnamespace from pg_ts_template
) as others (word, name, namespace) on namespace = id`

/** Types of columns, functions and domains that are neither the shard's own nor PostgreSQL's own. */
export const selectForeignTypes = `${ofShards}
select distinct schema, pg_type.oid::regtype::text
from (
  select id, schema, atttypid
    from pg_attribute join pg_class on pg_class.oid = attrelid join shard on relnamespace = id
    where attnum > 0 and not attisdropped
  union select id, schema, unnest(coalesce(proallargtypes, proargtypes::oid[]) || prorettype)
    from pg_proc join shard on pronamespace = id
  union select id, schema, typbasetype from pg_type join shard on typnamespace = id where typtype = 'd'
) as used (id, schema, type)
join pg_type on pg_type.oid = type
where typnamespace not in (id, 'pg_catalog'::regnamespace)
order by 1, 2`

/** The tables that hold rows. */
export const selectClonedTables = `${ofShards}
select schema, relname, reltuples::bigint, pg_table_size(oid),
  (select json_agg(json_build_array(attname, format_type(atttypid, atttypmod)) order by place)
   from pg_index, unnest(indkey) with ordinality as keys (number, place)
   join pg_attribute on attnum = number
   where indrelid = pg_class.oid and indisprimary and attrelid = pg_class.oid),
  (select json_agg(attname order by attnum) from pg_attribute
   where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = '')
from pg_class join shard on relnamespace = id
where relkind = 'r' and relname <> 'hv_marker'
order by 1, 2`
