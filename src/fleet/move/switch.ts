import type { Catalog } from '../../catalog/catalog.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { ShardLease } from '../lease.ts'
import type { Cleanup } from './journal.ts'
import type { MovePhase } from './move-record.ts'

/** One change of the place of a shard. */
export interface Switch {
  readonly moveId: number
  readonly shardId: number
  readonly from: string
  readonly to: string
  readonly phase: MovePhase
  /** What is no longer to be cleaned up, because it is in use from now on. */
  readonly keep: readonly Cleanup[]
  /** What is to be cleaned up in its place. */
  readonly drop: readonly Cleanup[]
  /** What later steps need to know. */
  readonly done: Readonly<Record<string, unknown>>
}

/** Longest time that the catalog is asked what became of the switch: nobody may write meanwhile. */
const ASK_MS = 10_000

/** Least time for the switch, however long the writers have waited already. */
const LEAST_MS = 250

/**
 * The point of no return: placement, epoch, phase and cleanups change in one transaction of the catalog, under the
 * lease. The transaction has half of the pause that is left. When no answer to its commit comes in that time, the catalog
 * is asked on another connection what became of it.
 *
 * @param leftMs what is left of the pause of the writers
 * @throws `HV_OUTCOME_UNKNOWN` when the catalog cannot be asked either; with every other error nothing has changed
 */
export async function switchOver(catalog: Catalog, lease: ShardLease, change: Switch, leftMs: number): Promise<void> {
  const { moveId, shardId, from, to } = change
  const record = { action: 'move shard', details: { moveId, shardId, from, to } }
  const work = async (session: ServerSession, next: number): Promise<void> => {
    await lease.assertHeldIn(session)
    await write(session, change, next)
  }
  const timeoutMs = Math.round(Math.max(leftMs / 2, LEAST_MS))
  await catalog.change(record, work, { timeoutMs, askMs: ASK_MS, hint: `Run: npx pg-hypervault move resume ${moveId}` })
}

/** Changes the place of a shard: shard, old and new server, epoch. */
export const placeSql = [
  'update hypervault.placements set server_id = $3, epoch = $4',
  'where shard_id = $1 and server_id = $2',
  'returning shard_id',
].join('\n')

/** All in one statement: writers wait for each round trip. */
const switchSql = `
with hv_placed as (
  ${placeSql}
),
hv_moved as (
  -- What was proved before is about the other way.
  update hypervault.moves set phase = $6, switched_epoch = $4, report = null, changed_at = clock_timestamp()
  where move_id = $5
),
hv_struck as (
  update hypervault.cleanups set done_at = clock_timestamp()
  where move_id = $5 and (server_id, kind, name) in (
    select server_id, kind, name from jsonb_to_recordset($7::jsonb) as hv_kept (server_id text, kind text, name text))
),
hv_recorded as (
  insert into hypervault.cleanups (move_id, server_id, kind, name)
  select $5, server_id, kind, name from jsonb_to_recordset($8::jsonb) as hv_dropped (server_id text, kind text, name text)
  on conflict (move_id, server_id, kind, name) do update set done_at = null
),
hv_noted as (
  insert into hypervault.move_steps (move_id, step, state, details)
  select $5, key, 'done', value from jsonb_each($9::jsonb)
)
select shard_id from hv_placed`

async function write(session: ServerSession, change: Switch, epoch: number): Promise<void> {
  const { moveId, shardId, from, to, phase, keep, drop, done } = change
  const rows = await session.read({
    text: switchSql,
    values: [
      ...[String(shardId), from, to, String(epoch), String(moveId), phase],
      ...[recordsOf(keep), recordsOf(drop), JSON.stringify(done)],
    ],
  })
  if (rows.length !== 1) throw new Error(`bug: shard ${shardId} does not live on server ${from}`)
}

function recordsOf(cleanups: readonly Cleanup[]): string {
  return JSON.stringify(cleanups.map(({ serverId, kind, name }) => ({ server_id: serverId, kind, name })))
}
