import { pause } from '../../pool/pause.ts'
import type { FenceTarget } from '../../schema/fence-sql.ts'
import type { ClonedTable } from '../clone/shard-definition.ts'
import type { FleetLink, OwnSession } from '../servers.ts'
import { endSessions, removeObject } from './clean-up.ts'
import { CopyProgress } from './copy-progress.ts'
import { carryRows } from './copy-rows.ts'
import {
  closeTargetSql,
  copyInSql,
  copyOutSql,
  copySessionSql,
  createSlotAndSee,
  openSourceSql,
  openTargetSql,
} from './copy-sql.ts'
import { stalled } from './follow.ts'
import type { MoveContext } from './move-context.ts'
import { Pace } from './pace.ts'
import { explainSlot } from './prepare.ts'

/*
 * A copy at a limited rate. What a subscription copies cannot be slowed down, so the rows go through this process:
 *
 *   source  one transaction, whose first statement makes the slot: it sees what was committed before the slot's first
 *           change, no more and no less, as the copy of a subscription does
 *   target  one transaction for all tables, so there are all rows or none. The fence is open inside it alone, and closed
 *           again before it is committed. No other trigger is there yet, nor any constraint but the primary keys.
 *
 * The subscription then begins with the slot's first change, and copies nothing.
 *
 * A crash takes both transactions back. The slot may be left, and is recorded. A new attempt makes everything anew:
 *
 *   1. it ends the sessions of the attempt before it, which are known by their name, and waits until they are gone
 *   2. it drops the slot, and makes another
 *   3. it empties the tables, in case that the attempt before was committed and not written down
 *
 * An operator that was cut off and does not know of its successor cannot do harm behind 1: its sessions that were open are
 * gone, and behind each one that it opens later it asks whether it still has the lease.
 */

/** Longest wait for a lock at the target. Only a client that still takes the shard to be there can hold one. */
const LOCK_TIMEOUT_MS = 2_000

/** What one attempt works with. */
interface Attempt {
  readonly context: MoveContext
  readonly from: OwnSession
  readonly to: OwnSession
  readonly fence: FenceTarget
  readonly pace: Pace
  readonly progress: CopyProgress
  readonly signal: AbortSignal
  readonly onStall: () => void
}

/**
 * Makes the slot of the stream forward, and brings the rows that were there before it to the target.
 *
 * @throws `HV_MOVE_BLOCKED` when transactions keep the slot from being created, `HV_MOVE_STALLED` when the copy makes no
 *   progress
 */
export async function copyThrottled(context: MoveContext, bytesPerSecond: number): Promise<void> {
  const { source, target, objects } = context
  await recordCopy(context)
  await context.checkpoint('throttled copy recorded')
  await takeAwayEarlier(context)
  const stall = new AbortController()
  const signal = AbortSignal.any([stall.signal, ...(context.signal === undefined ? [] : [context.signal])])
  const { epoch } = await context.catalog.readFleet()
  const shared = {
    context,
    signal,
    fence: { shardId: context.move.shardId, target: source.serverId, epoch },
    progress: new CopyProgress(context, (await context.definition()).tables),
    onStall: () => stall.abort(stalled(context, 'no more rows arrived')),
  }
  const name = objects.copy
  const work = (from: OwnSession): Promise<void> =>
    target.withOwnSession(
      { name, canReplicate: false },
      (to) => attempt({ ...shared, from, to, pace: new Pace(bytesPerSecond, performance.now()) }),
      signal,
    )
  try {
    await source.withOwnSession({ name, canReplicate: true }, work, signal)
  } finally {
    // Nothing goes on waiting for the next chunk when the other side has failed.
    stall.abort()
  }
}

async function recordCopy({ journal, objects, source, target }: MoveContext): Promise<void> {
  await journal.record({ serverId: source.serverId, kind: 'session', name: objects.copy })
  await journal.record({ serverId: target.serverId, kind: 'session', name: objects.copy })
  await journal.record({ serverId: source.serverId, kind: 'slot', name: objects.forward })
}

async function takeAwayEarlier({ journal, objects, move, source, target }: MoveContext): Promise<void> {
  await journal.assertHeld()
  const end = (link: FleetLink): Promise<void> => link.withSession((session) => endSessions(session, objects.copy))
  await Promise.all([end(source), end(target)])
  const slot = { kind: 'slot', name: objects.forward } as const
  await source.withSession((session) => removeObject(session, slot, move.shardId))
}

async function attempt(each: Attempt): Promise<void> {
  const { context, from, to, fence } = each
  const { tables } = await context.definition()
  await prepareSessions(each)
  // The slot first: it waits for every transaction that writes, and both servers may be databases of one cluster.
  await from.session.read(createSlotAndSee(context.objects.forward)).catch((error: unknown) => {
    return explainSlot(error, context, context.source)
  })
  await context.checkpoint('throttled copy: slot made')
  await to.session.execute(openTargetSql(fence, tables))
  for (const table of tables) {
    await copyTable(each, table)
    await context.checkpoint(`throttled copy: ${table.name} copied`)
  }
  await each.progress.tell()
  await to.session.execute(closeTargetSql(fence, tables))
  await context.journal.assertHeld()
  await to.session.execute(['commit'])
  await context.checkpoint('throttled copy committed')
}

async function prepareSessions({ context, from, to }: Attempt): Promise<void> {
  // Behind the opening of both: who was cut off has been told by now, or its sessions are among those that were ended.
  await context.journal.assertHeld()
  await to.session.execute(copySessionSql(LOCK_TIMEOUT_MS))
  await from.session.execute(copySessionSql(context.limits.slotTimeoutMs))
  await from.session.execute(openSourceSql)
}

async function copyTable(
  { context, from, to, pace, progress, signal, onStall }: Attempt,
  table: ClonedTable,
): Promise<void> {
  const { shardId } = context.move
  const timer = setTimeout(onStall, context.limits.stallTimeoutMs)
  const pass = async (part: Buffer): Promise<void> => {
    const delayMs = pace.delayOf(part.length, performance.now())
    if (delayMs > 0) await pause(delayMs, signal)
    await progress.note(part)
    timer.refresh()
  }
  const statements = { out: copyOutSql(shardId, table), in: copyInSql(shardId, table) }
  try {
    await carryRows(from, to, statements, { maxBytes: pace.burstBytes, pass })
  } finally {
    clearTimeout(timer)
  }
}
