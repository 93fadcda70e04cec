import { isFenceFunction, isMarkerTable } from '../../schema/move-objects.ts'
import { ofShards } from './shards-sql.ts'

/*
 * What the application has called like something that a move makes for itself. A move would take it for its own: leave it
 * behind, write into it, and drop it at the end.
 */

const remedy = 'is called like what a move makes for itself: rename it'

/** Problems in words, as in refusal-queries.ts. */
export const selectAlike = `${ofShards}
select schema, format('%s %s ${remedy}',
  case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'i' then 'index'
    when 'c' then 'type' else 'table' end, pg_class.oid::regclass)
from pg_class join shard on relnamespace = id
where relname = 'hv_marker' and not ${isMarkerTable}
union all
select schema, format('type %s ${remedy}', oid::regtype)
from pg_type join shard on typnamespace = id
where typname = 'hv_marker' and typrelid = 0
union all
select schema, format('%s %s ${remedy}', case prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end, oid::regprocedure)
from pg_proc join shard on pronamespace = id
where proname = 'hv_fence' and not ${isFenceFunction}
union all
select schema, format('trigger %I on %s ${remedy}', tgname, tgrelid::regclass)
from pg_trigger join pg_class on pg_class.oid = tgrelid join shard on relnamespace = id
join pg_proc on pg_proc.oid = tgfoid
where tgname in ('hv_fence', 'hv_fence_rows') and not tgisinternal
  and not (pronamespace = relnamespace and ${isFenceFunction})
order by 1, 2`
