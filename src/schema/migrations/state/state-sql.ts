import { shardSchema } from '../../../key/shard-id.ts'
import type { ServerStatement } from '../../../server/server-session.ts'
import { quoteLiteral } from '../../../sql/quote.ts'
import type { Migration } from '../migration.ts'

/*
 * The table of a shard that says what has run in it. It lies in the shard's schema, so it moves with the shard; a row is
 * written in the transaction of its migration. Lengths are bounded, so that the table needs no second one for long
 * values: there are thousands of it.
 */

/** Name of the table in each shard. */
export const STATE_TABLE = 'hv_migrations'

/** Creates the table. */
export function createStateTableSql(shardId: number): string {
  return [
    `create table ${tableOf(shardId)} (`,
    '  id varchar(120) constraint hv_migrations_pk primary key,',
    '  name varchar(120) not null,',
    '  checksum varchar(64) not null,',
    '  applied_at timestamptz not null default clock_timestamp(),',
    '  took_ms integer,',
    '  step smallint not null default 0,',
    '  under_way boolean not null default false',
    ')',
  ].join('\n')
}

/**
 * Writes down that a migration has run, at the end of its transaction: since when, and how long that has taken. Of a
 * transaction with several shards each has its share; `place` counts them from 1.
 */
export function insertAppliedSql(shardId: number, migration: Migration, place = 1): string {
  const spentMs = 'extract(epoch from clock_timestamp() - transaction_timestamp()) * 1000'
  return [
    `insert into ${tableOf(shardId)} (id, name, checksum, applied_at, took_ms)`,
    `values (${literals(migration)}, transaction_timestamp(), ${spentMs} / ${place})`,
  ].join('\n')
}

/** Writes down what a new table begins with: the shard itself, `isDone` unless more is to follow in a new shard. */
export function insertLayoutSql(shardId: number, layout: Migration, { isDone }: { isDone: boolean }): string {
  return [
    `insert into ${tableOf(shardId)} (id, name, checksum, took_ms)`,
    `values (${literals(layout)}, ${isDone ? 0 : 'null'})`,
    'on conflict (id) do nothing',
  ].join('\n')
}

/** Writes down that a migration without a transaction begins, unless that is known. */
export function insertBegunSql(shardId: number, migration: Migration): string {
  return [
    `insert into ${tableOf(shardId)} (id, name, checksum)`,
    `values (${literals(migration)})`,
    'on conflict (id) do nothing',
  ].join('\n')
}

/** Forgets that a migration without a transaction was begun, if none of its statements is done. */
export function deleteBegunSql(shardId: number, { id }: Migration): string {
  return `delete from ${tableOf(shardId)} where id = ${quoteLiteral(id)} and step = 0 and took_ms is null`
}

/** Writes down how many statements of a migration without a transaction are done, and whether the next is under way. */
export function updateStepSql(
  shardId: number,
  { id }: Migration,
  { step, isUnderWay }: { readonly step: number; readonly isUnderWay: boolean },
): string {
  return [
    `update ${tableOf(shardId)}`,
    `set step = ${step}, under_way = ${isUnderWay}`,
    `where id = ${quoteLiteral(id)} and took_ms is null`,
  ].join('\n')
}

/** How far a migration without a transaction is: `(isDone, step, isUnderWay)`. */
export function selectStep(shardId: number, { id }: Migration): ServerStatement {
  const text = `select took_ms is not null, step, under_way\nfrom ${tableOf(shardId)}\nwhere id = $1`
  return { text, values: [id] }
}

/** Writes down that a migration without a transaction is done. */
export function updateDoneSql(shardId: number, { id }: Migration): string {
  return [
    `update ${tableOf(shardId)}`,
    'set took_ms = least(extract(epoch from clock_timestamp() - applied_at) * 1000, 2147483647)',
    `where id = ${quoteLiteral(id)} and took_ms is null`,
  ].join('\n')
}

/** What is there of these shards: `(schema, hasEntities, hasTable)`. */
export function selectPlaces(shardIds: readonly number[]): ServerStatement {
  // One look into an index for each: a join would be planned from what is known of the catalogs, which is often nothing.
  const hasTable = (name: string): string =>
    `exists (select from pg_class where relnamespace = pg_namespace.oid and relname = '${name}')`
  const text = [
    `select nspname, ${hasTable('entities')}, ${hasTable(STATE_TABLE)}`,
    'from pg_namespace',
    'where nspname = any($1::text[])',
  ].join('\n')
  return { text, values: [shardIds.map(shardSchema)] }
}

/** Prints what has run in a shard, which has the table: `(id, name, checksum, tookMs)`. */
export function copyAppliedSql(shardId: number): string {
  return `copy ${tableOf(shardId)} (id, name, checksum, took_ms) to stdout`
}

function tableOf(shardId: number): string {
  return `${shardSchema(shardId)}.${STATE_TABLE}`
}

function literals({ id, name, checksum }: Migration): string {
  return [id, name, checksum].map(quoteLiteral).join(', ')
}
