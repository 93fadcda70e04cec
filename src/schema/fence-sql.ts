import { shardSchema } from '../key/shard-id.ts'
import { quoteName } from './shard-sql.ts'

/*
 * The fence of a shard that moves: a trigger on each of its tables that refuses every write, whatever client sends it.
 * It is made at the source, in one transaction that waits out the writers in flight, and it stays until the schema is
 * dropped. Rows that logical replication applies pass, because such triggers do not fire for it.
 */

/** Where a fenced shard goes, and since which epoch it is there. */
export interface FenceTarget {
  readonly shardId: number
  readonly target: string
  readonly epoch: number
  /** Token of the lease under which it is put up. */
  readonly token?: number
}

/** Puts the fence up, or changes what it says. */
export function raiseFenceSql(fence: FenceTarget, tables: readonly string[]): string[] {
  const schema = shardSchema(fence.shardId)
  return [createFenceFunctionSql(fence), ...tables.map((table) => createTriggerSql(schema, table))]
}

/** Takes the fence down: writes go on here. */
export function lowerFenceSql(shardId: number): string {
  return `drop function if exists ${shardSchema(shardId)}.hv_fence() cascade`
}

/** Takes the fence down if it was put up under this lease: that of another operator stays. */
export function lowerOwnFenceSql(shardId: number, token: number): string {
  const fence = `${shardSchema(shardId)}.hv_fence()`
  return [
    'do $hv$',
    'begin',
    `  if exists (select from pg_proc where oid = to_regprocedure('${fence}') and position(E'-- lease ${token}\\n' in prosrc) > 0) then`,
    `    drop function ${fence} cascade;`,
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
