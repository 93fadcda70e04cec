/*
 * Tells what a move makes in a shard for its time from what the application has called alike. Conditions on the rows of
 * `pg_class` and `pg_proc`, which go by these names.
 */

/** The table of markers. */
export const isMarkerTable = `(relname = 'hv_marker' and relkind = 'r' and array['marker text'] = (
  select array_agg(concat_ws(' ', attname, atttypid::regtype)) from pg_catalog.pg_attribute
  where attrelid = pg_class.oid and attnum > 0))`

/** The function of a fence, closed or open. */
export const isFenceFunction = `(proname = 'hv_fence' and pronargs = 0 and prorettype = 'trigger'::regtype
  and (prosrc ~ 'HV001' or prosrc = 'begin return null; end'))`
