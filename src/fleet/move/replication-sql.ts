import { shardSchema } from '../../key/shard-id.ts'
import type { ServerStatement } from '../../server/server-session.ts'
import { quoteLiteral, quoteName } from '../../sql/quote.ts'

/*
 * The statements of logical replication. Names come from `objectsOf()`; tables are qualified and quoted here. Each can
 * be repeated: what is made is dropped first, and what is dropped may be gone.
 */

/** Publishes these tables of a shard, and no later one. */
export function createPublicationSql(name: string, shardId: number, tables: readonly string[]): string {
  const list = tables.map((table) => `${shardSchema(shardId)}.${quoteName(table)}`).join(', ')
  return `create publication ${name} for table ${list}`
}

/** Drops a publication. */
export function dropPublicationSql(name: string): string {
  return `drop publication if exists ${name}`
}

/** Makes a slot. It waits for every transaction that writes anywhere in the cluster; only `lock_timeout` bounds that. */
export function createSlot(name: string): ServerStatement {
  return { text: `select pg_create_logical_replication_slot('${name}', 'pgoutput')` }
}

/** Drops a slot that nobody reads from. */
export function dropSlot(name: string): ServerStatement {
  return {
    text: [
      'select pg_drop_replication_slot(slot_name)',
      `from pg_replication_slots where slot_name = '${name}' and not active`,
    ].join('\n'),
  }
}

/** Ends whoever reads from a slot; it can be dropped then. */
export function endReader(name: string): ServerStatement {
  return {
    text: `select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '${name}' and active`,
  }
}

/** One row if the slot is there. */
export function findSlot(name: string): ServerStatement {
  return { text: `select active from pg_replication_slots where slot_name = '${name}'` }
}

/**
 * Makes everything durable that can be seen now. What a subscription applies is committed asynchronously, and a slot is
 * never advanced beyond what is on disk.
 */
export const flushSql: readonly string[] = [
  'begin',
  'set local synchronous_commit = on',
  // A transaction that writes no WAL of its own would not be waited for.
  "select pg_logical_emit_message(true, 'hypervault', '')",
  'commit',
]

/** Leaves out of a slot everything that was committed before now; gives the position. A crash may undo it: see turn.ts. */
export function advanceSlot(name: string): ServerStatement {
  return { text: `select end_lsn from pg_replication_slot_advance('${name}', pg_current_wal_insert_lsn())` }
}

/** Which changes a subscription asks for. */
export interface SubscriptionStart {
  /** Whether the rows that are there are copied first. */
  readonly isCopying: boolean
  /** Only what was written at the publisher itself, and not what came to it by another stream. From PostgreSQL 16 on. */
  readonly isLocalOnly?: boolean
  /** It begins to read when it is enabled, and not at once. */
  readonly isDisabled?: boolean
}

/** @param connection a text for libpq that holds a password: this statement must not be logged */
export function createSubscriptionSql(
  name: string,
  connection: string,
  { isCopying, isLocalOnly = false, isDisabled = false }: SubscriptionStart,
): string {
  const options = [
    `create_slot = false, slot_name = '${name}', copy_data = ${isCopying}, synchronous_commit = off`,
    ...(isLocalOnly ? ['origin = none'] : []),
    ...(isDisabled ? ['enabled = false'] : []),
  ]
  return `create subscription ${name} connection ${quoteLiteral(connection)} publication ${name} with (${options.join(', ')})`
}

/** Lets a subscription that has not read anything yet begin behind a position of its publisher. Takes a superuser. */
export function startSubscriptionSql(name: string, lsn: string): string[] {
  return [
    `select pg_replication_origin_advance('pg_' || oid, ${quoteLiteral(lsn)}) from pg_subscription where subname = '${name}'`,
    `alter subscription ${name} enable`,
  ]
}

/** Takes a subscription away and leaves its slot: the publisher may be down. */
export function dropSubscriptionSql(name: string): string[] {
  return [
    `alter subscription ${name} disable`,
    `alter subscription ${name} set (slot_name = none)`,
    `drop subscription ${name}`,
  ]
}

/** One row if this database has the subscription. */
export function findSubscription(name: string): ServerStatement {
  return {
    text: [
      'select subenabled from pg_subscription',
      `where subname = '${name}' and subdbid = (select oid from pg_database where datname = current_database())`,
    ].join('\n'),
  }
}

/** State of each table of a subscription: i, d, f, s, r (ready). And errors since it was made. */
export function readSubscription(name: string): ServerStatement {
  return {
    text: [
      'select',
      "  count(*) filter (where srsubstate in ('r', 's')), count(*),",
      `  (select coalesce(apply_error_count + sync_error_count, 0) from pg_stat_subscription_stats where subname = '${name}')`,
      'from pg_subscription_rel join pg_subscription on oid = srsubid',
      `where subname = '${name}' and subdbid = (select oid from pg_database where datname = current_database())`,
    ].join('\n'),
  }
}

/** Rows and bytes that the copies of a shard's tables have written so far. */
export function readCopyProgress(shardId: number): ServerStatement {
  return {
    text: [
      'select coalesce(sum(tuples_processed), 0), coalesce(sum(bytes_processed), 0)',
      'from pg_stat_progress_copy join pg_class on pg_class.oid = relid',
      'join pg_namespace on pg_namespace.oid = relnamespace',
      `where nspname = '${shardSchema(shardId)}' and datname = current_database()`,
    ].join('\n'),
  }
}

/** How far the reader of a slot is behind, and how much WAL the slot retains, in bytes. */
export function readLag(slot: string): ServerStatement {
  return {
    text: [
      'select pg_current_wal_lsn() - confirmed_flush_lsn, pg_current_wal_lsn() - restart_lsn, active',
      `from pg_replication_slots where slot_name = '${slot}'`,
    ].join('\n'),
  }
}

/** Who keeps a slot from being made: transactions that write, the oldest first. */
export const listWriters: ServerStatement = {
  text: [
    "select pid, coalesce(usename, ''), coalesce(state, ''), coalesce(extract(epoch from now() - xact_start)::int, 0)",
    'from pg_stat_activity',
    'where backend_xid is not null and pid <> pg_backend_pid()',
    'union all',
    "select 0, owner, 'prepared ' || gid, extract(epoch from now() - prepared)::int from pg_prepared_xacts",
    'order by 4 desc limit 5',
  ].join('\n'),
}
