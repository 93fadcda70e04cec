import { shardSchema } from '../key/shard-id.ts'

/*
 * Each shard carries the spread, as a function that nothing calls: it moves with the shard, one look into pg_proc reads
 * those of all shards of a server, and the original takes no notice of it. With `connections` it is the only place where
 * the spread is kept; beside a catalog it is a copy for those who still use connections.
 */

/** Name of the function. */
export const SPREAD_FUNCTION = 'hv_spread'

/** Writes the spread, such as `1-17`, into a shard. */
export function recordSpreadSql(shardId: number, spread: string): string {
  const name = `${shardSchema(shardId)}.${SPREAD_FUNCTION}()`
  return `create or replace function ${name} returns text language sql immutable as $$${spreadSource(spread)}$$`
}

/** Body of the function. */
function spreadSource(spread: string): string {
  return `select '${spread}'`
}

/** The spread in the body of a function; undefined if it is not one of ours. */
export function parseSpreadSource(source: string): string | undefined {
  return /^select '([\d,-]+)'$/.exec(source)?.[1]
}

/** The bodies of all shards of a server, each once: `(source)`. */
export const SELECT_SPREADS = `select distinct prosrc from pg_catalog.pg_proc where proname = '${SPREAD_FUNCTION}' and pronargs = 0`
