import { shardSchema } from '../../key/shard-id.ts'
import { openWritesSql, raiseFenceSql, type FenceTarget } from '../../schema/fence-sql.ts'
import type { ServerStatement } from '../../server/server-session.ts'
import { quoteName } from '../../sql/quote.ts'
import type { ClonedTable } from '../clone/shard-definition.ts'
import { sameTextSql } from './proof-sql.ts'

/*
 * The statements of a throttled copy. Its sessions write values as text that means the same on the other side, and
 * nothing but the move itself ends them.
 */

const EVERY_SESSION: readonly string[] = [
  ...sameTextSql,
  // What a crash of the target takes back must not be in the catalog as done.
  'set synchronous_commit = on',
  // Some of these came with later versions.
  `select set_config(name, '0', false) from pg_settings
where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')`,
]

/** Sets up a session. Sent before the transaction begins, which some of it would reach too late. */
export function copySessionSql(lockTimeoutMs: number): string[] {
  return [...EVERY_SESSION, `set lock_timeout = ${lockTimeoutMs}`]
}

/** Opens the transaction at the source that {@link createSlotAndSee} needs. */
export const openSourceSql: readonly string[] = ['begin isolation level repeatable read read only']

/**
 * Makes a slot, as the first statement of a transaction, which from then on sees exactly what was committed before the
 * first change that the slot keeps. Waits as the making of any slot does.
 */
export function createSlotAndSee(name: string): ServerStatement {
  return { text: `CREATE_REPLICATION_SLOT "${name}" LOGICAL pgoutput (SNAPSHOT 'use')` }
}

/**
 * Empties the tables at the target, which a copy that was committed and not written down may have filled; and opens
 * the transaction that fills them. The fence is open inside it alone, which nobody else ever sees.
 */
export function openTargetSql(fence: FenceTarget, tables: readonly Pick<ClonedTable, 'name'>[]): string[] {
  const names = tables.map(({ name }) => qualify(fence.shardId, name))
  const truncate = names.length === 0 ? [] : [`truncate ${names.join(', ')}`]
  return [
    'begin',
    openWritesSql(fence.shardId),
    ...truncate,
    ...closeTargetSql(fence, tables),
    'commit',
    'begin',
    openWritesSql(fence.shardId),
  ]
}

/** Closes the fence of the target again, in the transaction that has opened it. */
export function closeTargetSql(fence: FenceTarget, tables: readonly Pick<ClonedTable, 'name'>[]): string[] {
  return raiseFenceSql(
    fence,
    tables.map(({ name }) => name),
  )
}

/** Gives the rows of a table as text; without its generated columns, which the other side computes. */
export function copyOutSql(shardId: number, table: Pick<ClonedTable, 'name' | 'columns'>): string {
  return `copy ${listColumns(shardId, table)} to stdout`
}

/** Takes what {@link copyOutSql} gives. */
export function copyInSql(shardId: number, table: Pick<ClonedTable, 'name' | 'columns'>): string {
  return `copy ${listColumns(shardId, table)} from stdin`
}

/** Ends the sessions of a name in this database, and waits so long for each. One row for each that was there. */
export function endNamedSessions(name: string, timeoutMs: number): ServerStatement {
  return {
    text: [
      `select pg_terminate_backend(pid, ${timeoutMs}) from pg_stat_activity`,
      `where application_name = '${name}' and datname = current_database() and pid <> pg_backend_pid()`,
    ].join('\n'),
  }
}

function listColumns(shardId: number, { name, columns }: Pick<ClonedTable, 'name' | 'columns'>): string {
  const table = qualify(shardId, name)
  return columns.length === 0 ? table : `${table} (${columns.map(quoteName).join(', ')})`
}

function qualify(shardId: number, table: string): string {
  return `${shardSchema(shardId)}.${quoteName(table)}`
}
