import { shardSchema } from '../key/shard-id.ts'
import { quoteName } from '../sql/quote.ts'

/*
 * The statements that make a logical shard, one function each. Every name carries its schema, also that of the type
 * hstore: nothing depends on a search path. There is no `drop`, and none that rewrites or scans a table.
 */

/** Where PostgreSQL keeps what a shard needs, and from when its keys count. */
export interface ShardTarget {
  /** Schema of the extension hstore. */
  readonly hstoreSchema: string
  readonly epochMs: number
  /** Whether a new shard is to have more than this, which follows. */
  readonly isFollowed: boolean
  /** The shards that values are spread over, such as `1-17`; undefined where that is left as it is. */
  readonly spread: string | undefined
}

/** Creates the schema of a shard. */
export function createSchemaSql(shardId: number): string {
  return `create schema ${shardSchema(shardId)}`
}

/** Creates the sequence behind the keys, without a cache. */
export function createSequenceSql(shardId: number): string {
  return `create sequence ${shardSchema(shardId)}.table_id_seq`
}

/** A cache would hand each session its own run of numbers, and leave holes. */
export function uncacheSequenceSql(shardId: number): string {
  return `alter sequence ${shardSchema(shardId)}.table_id_seq cache 1`
}

/** Creates the table `entities`. */
export function createEntitiesSql(shardId: number, { hstoreSchema }: ShardTarget): string {
  const schema = shardSchema(shardId)
  return [
    `create table ${schema}.entities (`,
    `  id bigint not null default ${schema}.next_id() constraint entities_pk primary key,`,
    '  type smallint not null,',
    `  body ${quoteName(hstoreSchema)}.hstore not null,`,
    '  updated timestamp',
    ')',
  ].join('\n')
}

/** A column without a default is added in the catalog alone: no row is touched. */
export function addUpdatedSql(shardId: number): string {
  return `alter table ${shardSchema(shardId)}.entities add column updated timestamp`
}

/** Makes `next_id()` the default of the key. */
export function setIdDefaultSql(shardId: number): string {
  const schema = shardSchema(shardId)
  return `alter table ${schema}.entities alter column id set default ${schema}.next_id()`
}

/** Renames the primary key to `entities_pk`: by this name a repeated key is told from other violations. */
export function renamePrimaryKeySql(shardId: number, name: string): string {
  return `alter table ${shardSchema(shardId)}.entities rename constraint ${quoteName(name)} to entities_pk`
}

/** The extension goes where everybody expects it; an existing one stays where it is. */
export const createExtensionSql = 'create extension if not exists hstore with schema public'
