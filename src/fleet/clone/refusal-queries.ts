/*
 * What a move cannot carry. Each row is a problem with its remedy, in words; `$1` is the schema.
 */

/** Problems of what is in the schema. */
export const selectRefusals = `
select format('%s %s cannot be carried: %s', case relkind
    when 'p' then 'partitioned table' when 'f' then 'foreign table' else 'relation' end, oid::regclass,
  case relkind when 'p' then 'make its partitions tables of their own, behind a view' else 'drop it before the move, and make it again after' end)
from pg_class where relnamespace = $1::regnamespace and relkind in ('p', 'f')
union all
select format('table %s is unlogged, so its rows are not in the stream: alter table %s set logged', oid::regclass, oid::regclass)
from pg_class where relnamespace = $1::regnamespace and relkind = 'r' and relpersistence = 'u'
union all
select format('table %s inherits, which is not carried: alter table %s no inherit %s', inhrelid::regclass, inhrelid::regclass, inhparent::regclass)
from pg_inherits join pg_class on pg_class.oid = inhrelid
where relkind = 'r' and $1::regnamespace in (relnamespace, (select relnamespace from pg_class as parent where parent.oid = inhparent))
union all
select format('%s %s cannot be carried: drop it before the move, and make it again after',
  case prokind when 'a' then 'aggregate' else 'window function' end, oid::regprocedure)
from pg_proc where pronamespace = $1::regnamespace and prokind in ('a', 'w')
union all
select format('type %s cannot be carried: use one of another schema', oid::regtype)
from pg_type where typnamespace = $1::regnamespace and typtype in ('r', 'm')
  or typnamespace = $1::regnamespace and typtype = 'b' and typcategory <> 'A'
union all
select format('trigger %I on %s fires for replicated rows, and would fire twice: alter table %s enable trigger %I',
  tgname, tgrelid::regclass, tgrelid::regclass, tgname)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where relnamespace = $1::regnamespace and not tgisinternal and tgenabled in ('A', 'R')
union all
select format('foreign key %I of %s leads out of the shard, to %s: drop it, because the other server has other rows',
  conname, conrelid::regclass, confrelid::regclass)
from pg_constraint join pg_class on pg_class.oid = conrelid join pg_class as other on other.oid = confrelid
where contype = 'f' and pg_class.relnamespace = $1::regnamespace and other.relnamespace <> $1::regnamespace
union all
select format('foreign key %I of %s points into the shard, to %s: drop it, because the shard goes away', conname, conrelid::regclass, confrelid::regclass)
from pg_constraint join pg_class on pg_class.oid = conrelid join pg_class as other on other.oid = confrelid
where contype = 'f' and pg_class.relnamespace <> $1::regnamespace and other.relnamespace = $1::regnamespace
union all
select format('index %s is invalid: reindex index concurrently %s, or drop it', indexrelid::regclass, indexrelid::regclass)
from pg_index join pg_class on pg_class.oid = indrelid
where relnamespace = $1::regnamespace and not indisvalid
union all
select format('column %I of %s may refer to large objects, which are not replicated: keep them in a bytea column', attname, attrelid::regclass)
from pg_attribute join pg_class on pg_class.oid = attrelid
where relnamespace = $1::regnamespace and relkind = 'r' and attnum > 0 and not attisdropped and atttypid = 'oid'::regtype
  and exists (select from pg_largeobject_metadata)
union all
select format('view %s depends on something outside the shard, %s: drop it before the move, and make it again after',
  ev_class::regclass, refobjid::regclass)
from pg_rewrite join pg_class on pg_class.oid = ev_class
join pg_depend on classid = 'pg_rewrite'::regclass and objid = pg_rewrite.oid and refclassid = 'pg_class'::regclass
join pg_class as other on other.oid = refobjid
where pg_class.relnamespace = $1::regnamespace and other.relnamespace not in ($1::regnamespace, 'pg_catalog'::regnamespace)
union all
select format('collation, operator or text search object in schema %s cannot be carried: keep it in another schema', $1)
where exists (select from pg_collation where collnamespace = $1::regnamespace)
  or exists (select from pg_operator where oprnamespace = $1::regnamespace)
  or exists (select from pg_ts_config where cfgnamespace = $1::regnamespace)
  or exists (select from pg_ts_dict where dictnamespace = $1::regnamespace)`

/** Types of columns and of function arguments that are neither the shard's own nor PostgreSQL's own. */
export const selectForeignTypes = `
select distinct oid::regtype::text
from pg_type
where typnamespace not in ($1::regnamespace, 'pg_catalog'::regnamespace)
  and oid in (select atttypid from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = $1::regnamespace and attnum > 0 and not attisdropped)
order by 1`
