/**
 * Begins a query about several shards: `shard (id, schema)` are those of the schemas `$1` that are there. One query serves
 * the move of one shard and the look at all shards of a server.
 */
export const ofShards = `
with shard (id, schema) as (select oid, nspname from pg_namespace where nspname = any ($1::text[]))`
