import { ofShards } from './shards-sql.ts'

/*
 * What keeps shards from moving, and what they need where they go to. As in shards-sql.ts, `$1` are the schemas, and each
 * row begins with the schema that it is about.
 */

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
select schema, format('table %s inherits, which is not carried: alter table %s no inherit %s', inhrelid::regclass, inhrelid::regclass, inhparent::regclass)
from pg_inherits join pg_class on pg_class.oid = inhrelid join pg_class as parent on parent.oid = inhparent
join shard on id in (pg_class.relnamespace, parent.relnamespace)
where pg_class.relkind = 'r'
union all
select schema, format('%s %s cannot be carried: drop it before the move, and make it again after',
  case prokind when 'a' then 'aggregate' else 'window function' end, oid::regprocedure)
from pg_proc join shard on pronamespace = id
where prokind in ('a', 'w')
union all
select schema, format('type %s cannot be carried: use one of another schema', oid::regtype)
from pg_type join shard on typnamespace = id
where typtype in ('r', 'm') or typtype = 'b' and typcategory <> 'A'
union all
select schema, format('trigger %I on %s fires for replicated rows, and would fire twice: alter table %s enable trigger %I',
  tgname, tgrelid::regclass, tgrelid::regclass, tgname)
from pg_trigger join pg_class on pg_class.oid = tgrelid join shard on relnamespace = id
where not tgisinternal and tgenabled in ('A', 'R')
union all
select schema, format('foreign key %I of %s leads out of the shard, to %s: drop it, because the other server has other rows',
  conname, conrelid::regclass, confrelid::regclass)
from pg_constraint join pg_class on pg_class.oid = conrelid join pg_class as other on other.oid = confrelid
join shard on pg_class.relnamespace = id
where contype = 'f' and other.relnamespace <> id
union all
select schema, format('foreign key %I of %s points into the shard, to %s: drop it, because the shard goes away', conname, conrelid::regclass, confrelid::regclass)
from pg_constraint join pg_class on pg_class.oid = conrelid join pg_class as other on other.oid = confrelid
join shard on other.relnamespace = id
where contype = 'f' and pg_class.relnamespace <> id
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
select schema, format('collation, operator or text search object in schema %s cannot be carried: keep it in another schema', schema)
from shard
where exists (select from pg_collation where collnamespace = id)
  or exists (select from pg_operator where oprnamespace = id)
  or exists (select from pg_ts_config where cfgnamespace = id)
  or exists (select from pg_ts_dict where dictnamespace = id)`

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
select schema, relname, relreplident, reltuples::bigint, pg_table_size(oid),
  (select json_agg(json_build_array(attname, format_type(atttypid, atttypmod)) order by place)
   from pg_index, unnest(indkey) with ordinality as keys (number, place)
   join pg_attribute on attnum = number
   where indrelid = pg_class.oid and indisprimary and attrelid = pg_class.oid)
from pg_class join shard on relnamespace = id
where relkind = 'r' and relname <> 'hv_marker'
order by 1, 2`
