import { ofShards } from './shards-sql.ts'

/*
 * What draws from a sequence outside its shard: at another server that sequence is not there, or is another one that gives
 * the same numbers again. PostgreSQL knows what a default, a domain, a trigger, a policy, a constraint or an index depends on,
 * and what a function with a body of statements does; of a body that is text it knows nothing, and of a sequence that is
 * named by a text neither, so those are searched for `nextval('…')`. As in shards-sql.ts, `$1` are the schemas.
 */

/** Text of the name in each `nextval('…')`. */
const NAMED = `$hv$\\mnextval\\s*\\(+\\s*'((?:[^']|'')+)'$hv$`

/** What is in a shard and may draw: `(schema, id, class, object, what, body)`. */
const parts = `
  select schema, id, 'pg_attrdef'::regclass::oid as class, pg_attrdef.oid as object,
    format('the default of column %I of %s', attname, adrelid::regclass) as what, pg_get_expr(adbin, adrelid) as body
  from pg_attrdef join pg_class on pg_class.oid = adrelid join shard on relnamespace = id
  join pg_attribute on attrelid = adrelid and attnum = adnum
  union all
  select schema, id, 'pg_type'::regclass, pg_type.oid, format('the default of domain %s', pg_type.oid::regtype), typdefault
  from pg_type join shard on typnamespace = id where typtype = 'd'
  union all
  select schema, id, 'pg_proc'::regclass, pg_proc.oid, format('function %s', pg_proc.oid::regprocedure), prosrc
  from pg_proc join shard on pronamespace = id where proname <> 'hv_fence'
  union all
  select schema, id, 'pg_trigger'::regclass, pg_trigger.oid, format('trigger %I on %s', tgname, tgrelid::regclass), null
  from pg_trigger join pg_class on pg_class.oid = tgrelid join shard on relnamespace = id
  where not tgisinternal and tgname !~ '^hv_fence'
  union all
  select schema, id, 'pg_policy'::regclass, pg_policy.oid, format('policy %I on %s', polname, polrelid::regclass), null
  from pg_policy join pg_class on pg_class.oid = polrelid join shard on relnamespace = id
  union all
  select schema, id, 'pg_constraint'::regclass, pg_constraint.oid, format('constraint %I in schema %s', conname, schema), null
  from pg_constraint join shard on connamespace = id where contype in ('c', 'x')
  union all
  select schema, id, 'pg_class'::regclass, pg_class.oid, format('index %s', pg_class.oid::regclass), null
  from pg_class join shard on relnamespace = id where relkind = 'i'`

/** Problems of shards in words, as those of refusal-queries.ts. */
export const selectOutsideDraws = `
with recursive ${ofShards.trim().replace(/^with /, '')},
part as (${parts}),
part_reached as (
  select schema, id, class, object, what, body from part
  union
  select schema, id, 'pg_proc'::regclass::oid, pg_proc.oid,
    case when what like '%, which calls %' then what else format('%s, which calls function %s', what, pg_proc.oid::regprocedure) end,
    prosrc
  from part_reached
  join pg_depend on classid = class and objid = object and refclassid = 'pg_proc'::regclass
  join pg_proc on pg_proc.oid = refobjid
  where pronamespace not in (id, 'pg_catalog'::regnamespace)
),
sequence as (
  select pg_class.oid, relnamespace, relname, nspname, nspname || '.' || relname as name
  from pg_class join pg_namespace on pg_namespace.oid = relnamespace where relkind = 'S'
),
named as (
  select distinct schema, id, what, case when found ~ '"' then replace(found, '"', '') else lower(found) end as name
  from part_reached, lateral (select replace(hits[1], '''''', '''') from regexp_matches(body, ${NAMED}, 'gi') as hits) as names (found)
),
draw (schema, what, sequence) as (
  select schema, what, sequence.oid
  from part_reached
  join pg_depend on classid = class and objid = object and refclassid = 'pg_class'::regclass
  join sequence on sequence.oid = refobjid
  where relnamespace <> id
  union
  select schema, what, sequence.oid from named join sequence using (name) where relnamespace <> id
  union
  select schema, what, sequence.oid
  from named join sequence on relname = named.name
  where nspname !~ '^shard[0-9]{4,}$' and not exists (select from sequence as own where own.relnamespace = id and own.relname = named.name)
)
select schema, format('%s draws from sequence %s, which is outside the shard and would give its numbers again at another server: let it draw from a sequence of the shard',
  what, sequence::regclass)
from draw
order by 1, 2`
