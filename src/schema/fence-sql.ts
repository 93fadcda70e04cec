import { shardSchema } from '../key/shard-id.ts'
import type { ServerStatement } from '../server/server-session.ts'
import { quoteName } from '../sql/quote.ts'
import { closeSequencesSql, openSequencesBlock } from './closed-sequences-sql.ts'

/*
 * The fence of a shard that moves: triggers on each of its tables that refuse every write, whatever client sends it. They
 * fire always, also for a session that writes as a replica (`session_replication_role`). Whoever applies the stream of the
 * move itself passes: PostgreSQL lists the process among the workers of the subscription, which no client can pretend.
 * The sequences of the shard are closed with it (closed-sequences-sql.ts), because no trigger keeps anybody from drawing.
 *
 *   at the source  made for the cutover, in one transaction that waits out the writers in flight; stays until the schema
 *                  is dropped. A trigger for each row as well, because PostgreSQL fires none for a statement when a
 *                  subscription applies changes: it stops the subscriptions of others
 *   at the target  made together with its tables: a client that still knows the shard from a time when it lived there
 *                  must not write into the copy; opened right after the switch
 *
 * A fence is opened by giving its function another body, which waits for nobody. To drop the triggers takes a lock that
 * waits for every reader, and lets nobody else in meanwhile: that is for later, when nobody waits for it.
 */

/** Where a fenced shard goes, and since which epoch it is there. */
export interface FenceTarget {
  readonly shardId: number
  readonly target: string
  readonly epoch: number
  /** Token of the lease under which it is put up. */
  readonly token?: number
}

/** Leaves the triggers of a fence out of a query on `pg_trigger`: they are no part of a shard. */
export const isNoFence = "tgname not in ('hv_fence', 'hv_fence_rows')"

/** Puts the fence up, or changes what it says, and closes the sequences. Waits for who writes or draws. One transaction. */
export function raiseFenceSql(
  fence: FenceTarget,
  tables: readonly string[],
  { hasRows = false }: { readonly hasRows?: boolean } = {},
): string[] {
  const schema = shardSchema(fence.shardId)
  return [
    createFenceFunctionSql(fence),
    ...tables.flatMap((table) => createTriggerSql(schema, table)),
    ...(hasRows ? tables.flatMap((table) => createRowTriggerSql(schema, table)) : []),
    closeSequencesSql(fence.shardId),
  ]
}

/**
 * What the fence of a shard is made of, table by table, with the transactions that wrote its triggers and its function:
 * another text later means that somebody has switched it off meanwhile, or has made a table beside it.
 */
export function readFence(shardId: number): ServerStatement {
  const text = `
select coalesce(string_agg(format('%s: %s', relname, hv_triggers), ', ' order by relname), '')
from (
  select relname, (
    select string_agg(concat_ws(' ', tgname, tgenabled, pg_trigger.xmin, pg_proc.xmin), ', ' order by tgname)
    from pg_catalog.pg_trigger join pg_catalog.pg_proc on pg_proc.oid = tgfoid
    where tgrelid = hv_table.oid and not ${isNoFence}) as hv_triggers
  from pg_catalog.pg_class as hv_table
  where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'f') and relname <> 'hv_marker'
) as hv_fences`
  return { text, values: [shardSchema(shardId)] }
}

/**
 * Takes the fence away: its triggers, and then its function, unless something else uses that. Waits for the readers of the
 * shard, and others queue behind it: open it before, bound it.
 */
export function dropFenceSql(shardId: number): string[] {
  const fence = `${shardSchema(shardId)}.hv_fence()`
  return [
    `do $hv$
declare
  hv_drop text;
begin
  for hv_drop in
    select format('drop trigger %I on %s', tgname, tgrelid::regclass)
    from pg_catalog.pg_trigger join pg_catalog.pg_class as hv_table on hv_table.oid = tgrelid
    where tgfoid = to_regprocedure('${fence}') and relnamespace = to_regnamespace('${shardSchema(shardId)}')
  loop
    execute hv_drop;
  end loop;
end $hv$`,
    `drop function if exists ${fence}`,
  ]
}

/**
 * Opens the fence, if there is one, and the sequences: writes go on here. It may wait for a transaction that has looked at a
 * sequence, so bound it. With the token of a lease only a fence that was put up under it: that of another operator stays.
 */
export function openFenceSql(shardId: number, token?: number): string {
  return openSql(shardId, token, openSequencesBlock(shardId))
}

/** Opens the fence alone: it waits for nobody, and leaves the sequences as they are. */
export function openWritesSql(shardId: number, token?: number): string {
  return openSql(shardId, token, { declarations: '', statements: '' })
}

function openSql(
  shardId: number,
  token: number | undefined,
  { declarations, statements }: ReturnType<typeof openSequencesBlock>,
): string {
  const fence = `${shardSchema(shardId)}.hv_fence()`
  const ofLease = token === undefined ? '' : ` and position(E'-- lease ${token}\\n' in prosrc) > 0`
  return [
    'do $hv$',
    'declare',
    declarations,
    'begin',
    `  if exists (select from pg_proc where oid = to_regprocedure('${fence}')${ofLease}) then`,
    statements,
    `    create or replace function ${fence} returns trigger language plpgsql as 'begin return null; end';`,
    '  end if;',
    'end $hv$',
  ].join('\n')
}

function createFenceFunctionSql({ shardId, target, epoch, token = 0 }: FenceTarget): string {
  const detail = JSON.stringify({ shard: shardId, epoch, target })
  return [
    `create or replace function ${shardSchema(shardId)}.hv_fence() returns trigger language plpgsql as $hv$`,
    `-- lease ${token}`,
    'begin',
    "  if pg_catalog.current_setting('session_replication_role') = 'replica' and exists (",
    '    select from pg_catalog.pg_stat_subscription as hv_worker',
    "    where hv_worker.pid = pg_catalog.pg_backend_pid() and hv_worker.subname ~ '^hv_(move|back)_[0-9]+_') then",
    '    return null;',
    '  end if;',
    `  raise exception 'shard ${shardId} moves to server ${target}' using`,
    "    errcode = 'HV001',",
    `    detail = '${detail}',`,
    "    hint = 'Ask the catalog where the shard lives, and write there.';",
    'end $hv$',
  ].join('\n')
}

function createTriggerSql(schema: string, table: string): string[] {
  const name = `${schema}.${quoteName(table)}`
  const create = [
    'create or replace trigger hv_fence',
    `before insert or update or delete or truncate on ${name}`,
    `for each statement execute function ${schema}.hv_fence()`,
  ]
  return [create.join('\n'), `alter table ${name} enable always trigger hv_fence`]
}

/** Behind the row, so that whatever its function gives, an open one for example, no row is passed over. */
function createRowTriggerSql(schema: string, table: string): string[] {
  const name = `${schema}.${quoteName(table)}`
  const create = [
    'create or replace trigger hv_fence_rows',
    `after insert or update or delete on ${name}`,
    `for each row execute function ${schema}.hv_fence()`,
  ]
  return [create.join('\n'), `alter table ${name} enable always trigger hv_fence_rows`]
}
