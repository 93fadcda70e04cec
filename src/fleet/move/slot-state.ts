import { HypervaultError } from '../../errors.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { MoveContext } from './move-context.ts'

/*
 * PostgreSQL takes a slot from its stream when it would keep more WAL than `max_slot_wal_keep_size` allows, or was idle for
 * `idle_replication_slot_timeout`. Such a slot gives nothing any more, and no wait brings it back.
 */

/** Reason for which a slot is lost, of a row of `pg_replication_slots`; null while it is not. */
export const slotLostSql = `case when wal_status = 'lost'
  then coalesce(to_jsonb(pg_replication_slots)->>'invalidation_reason', 'wal_removed') end`

/** Why a slot gives nothing any more; undefined while it does. */
export async function findSlotLoss(session: ServerSession, slot: string): Promise<string | undefined> {
  const text = `select ${slotLostSql} from pg_catalog.pg_replication_slots where slot_name = $1`
  const [row] = await session.read({ text, values: [slot] })
  return row === undefined ? 'dropped' : (row[0] ?? undefined)
}

/** Throws `HV_MOVE_SLOT_LOST` unless a slot of the move is there and still keeps what its reader needs. */
export async function assertSlot(
  session: ServerSession,
  { move }: Pick<MoveContext, 'move'>,
  slot: string,
): Promise<void> {
  const reason = await findSlotLoss(session, slot)
  if (reason === undefined) return
  const { moveId, shardId, switchedEpoch } = move
  const { serverId } = session
  const isBack = switchedEpoch !== undefined
  const message = `server ${serverId} has invalidated slot ${slot} of move ${moveId} (${reason}): ${isBack ? 'the move can no longer be reversed' : 'its changes are lost, and the move cannot continue'}`
  const verb = isBack ? 'complete' : 'abort'
  const hint = `Run: npx pg-hypervault move ${verb} ${moveId}${isBack ? '' : `, raise the setting that took it, and run: npx pg-hypervault move ${shardId} --to ${move.target}`}`
  throw new HypervaultError('HV_MOVE_SLOT_LOST', message, { moveId, shardId, serverId, slot, reason }, { hint })
}
