import { shardSchema } from '../key/shard-id.ts'
import { closeSequencesSql, openSequencesBlock } from './closed-sequences-sql.ts'
import { quoteName } from './shard-sql.ts'

/*
 * The fence of a shard that moves: a trigger on each of its tables that refuses every write, whatever client sends it.
 * The sequences of the shard are closed with it (closed-sequences-sql.ts), because no trigger keeps anybody from drawing.
 * Rows that logical replication applies pass, because such triggers do not fire for it.
 *
 *   at the source  made for the cutover, in one transaction that waits out the writers in flight; stays until the schema
 *                  is dropped
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

/** Puts the fence up, or changes what it says, and closes the sequences. Waits for who writes or draws. One transaction. */
export function raiseFenceSql(fence: FenceTarget, tables: readonly string[]): string[] {
  const schema = shardSchema(fence.shardId)
  return [
    createFenceFunctionSql(fence),
    ...tables.map((table) => createTriggerSql(schema, table)),
    closeSequencesSql(fence.shardId),
  ]
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
    `  raise exception 'shard ${shardId} moves to server ${target}' using`,
    "    errcode = 'HV001',",
    `    detail = '${detail}',`,
    "    hint = 'Ask the catalog where the shard lives, and write there.';",
    'end $hv$',
  ].join('\n')
}

function createTriggerSql(schema: string, table: string): string {
  return [
    'create or replace trigger hv_fence',
    `before insert or update or delete or truncate on ${schema}.${quoteName(table)}`,
    `for each statement execute function ${schema}.hv_fence()`,
  ].join('\n')
}
