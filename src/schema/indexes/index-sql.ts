import { fieldSql } from '../../entity/find/conditions.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerStatement } from '../../server/server-session.ts'
import { quoteName } from '../../sql/quote.ts'
import type { IndexSpec } from './index-definition.ts'

/*
 * The statements of indexes, one function each. `concurrently` never holds up a writer, but cannot be in a transaction,
 * and leaves an index that is not valid when it fails.
 */

/** Creates an index while entities are read and written. */
export function createIndexSql(shardId: number, spec: IndexSpec, hstoreSchema: string): string {
  const { name, kind, isUnique } = spec
  return [
    `create ${isUnique ? 'unique ' : ''}index concurrently ${quoteName(name)}`,
    `on ${shardSchema(shardId)}.entities`,
    `using ${targetSql(spec, `${quoteName(hstoreSchema)}.hstore`)}`,
    ...(kind === undefined ? [] : [`where type = ${kind}`]),
  ].join('\n')
}

function targetSql({ field, cast }: IndexSpec, hstoreType: string): string {
  if (field === undefined) return 'gin (body)'
  const value = fieldSql(field, hstoreType)
  return cast === undefined ? `btree ((${value}))` : `btree (((${value})::${cast}))`
}

/** Drops an index while entities are read and written. */
export function dropIndexSql(shardId: number, name: string): string {
  return `drop index concurrently ${shardSchema(shardId)}.${quoteName(name)}`
}

/** Statistics of the indexed expression; without them the planner takes it for worse than it is. */
export function analyzeSql(shardId: number): string {
  return `analyze ${shardSchema(shardId)}.entities`
}

/** Bounds each wait of a session for others. */
export function boundLocksSql(lockTimeoutMs: number): string {
  return `set lock_timeout = ${lockTimeoutMs}`
}

/** Bounds each statement of a session. */
export function boundStatementsSql(timeoutMs: number): string {
  return `set statement_timeout = ${timeoutMs}`
}

/** What goes by the name of an index: `(table oid, index oid, isValid, isOfTable, isOfConstraint)`. */
export function selectIndexState(shardId: number, name: string): ServerStatement {
  const text = [
    'select entities.oid, named.oid, indisvalid and indisready, indrelid = entities.oid,',
    '  exists (select from pg_constraint where conindid = named.oid)',
    'from pg_namespace',
    "left join pg_class as entities on entities.relnamespace = pg_namespace.oid and entities.relname = 'entities'",
    'left join pg_class as named on named.relnamespace = pg_namespace.oid and named.relname = $2',
    'left join pg_index on indexrelid = named.oid',
    'where nspname = $1',
  ].join('\n')
  return { text, values: [shardSchema(shardId), name] }
}

/** Transactions that are older than a wait was long: `(pid, application, state, seconds, isIndexBuild)`, oldest first. */
export function selectBlockers(waitedMs: number): ServerStatement {
  const text = [
    "select pid, application_name, coalesce(state, 'unknown'), extract(epoch from now() - xact_start)::bigint,",
    "  query ilike 'create%index concurrently%'",
    'from pg_stat_activity',
    'where datname = current_database() and pid <> pg_backend_pid()',
    "  and xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond'",
    'order by xact_start',
  ].join('\n')
  return { text, values: [waitedMs] }
}

/** Indexes of all shards but the primary keys: `(schema, name, isUnique, isValid, definition, bytes)`. */
export const selectIndexes: ServerStatement = Object.freeze({
  text: [
    'select nspname, named.relname, indisunique, indisvalid and indisready, pg_get_indexdef(indexrelid),',
    '  pg_relation_size(indexrelid)',
    'from pg_index',
    'join pg_class as named on named.oid = indexrelid',
    "join pg_class as entities on entities.oid = indrelid and entities.relname = 'entities'",
    'join pg_namespace on pg_namespace.oid = entities.relnamespace',
    "where nspname ~ '^shard[0-9]{4}$' and not indisprimary",
    'order by nspname, named.relname',
  ].join('\n'),
})

/** Ends the statement of another session. */
export function cancelBackend(pid: string): ServerStatement {
  return { text: 'select pg_cancel_backend($1::int)', values: [pid] }
}
