import { ShardLease } from '../lease.ts'
import { removeObject } from '../move/clean-up.ts'
import { listMoves } from '../move/move-record.ts'
import type { MovePlace } from '../move/open-move.ts'
import type { Fix } from './finding.ts'

/** Longest wait for the lock of what is changed: others queue behind it. */
const LOCK_TIMEOUT_MS = 2_000

/**
 * Puts something right, under the lease of its shard and only while no move of it is under way: whoever moves it makes
 * the same objects.
 *
 * @throws `HV_MOVE_LEASED`, or what the server says
 */
export async function mend({ catalog, links }: MovePlace, fix: Fix, signal?: AbortSignal): Promise<void> {
  const { serverId, shardId } = fix
  await using lease = await ShardLease.take(catalog, shardId, signal)
  const underWay = await catalog.under(signal).withSession((session) => listMoves(session, { isOver: false }))
  if (underWay.some((move) => move.shardId === shardId)) throw new Error(`shard ${shardId} has begun to move`)
  const link = await links.get(serverId, signal)
  await lease.assertHeld()
  await link.withSession(async (session) => {
    if ('remove' in fix) return removeObject(session, fix.remove, shardId)
    const opening = ['begin', `set local lock_timeout = ${LOCK_TIMEOUT_MS}`]
    await session.transaction(opening, () => session.execute([fix.statement]))
  })
}
