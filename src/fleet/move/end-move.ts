import { lowerFenceSql } from '../../schema/fence-sql.ts'
import { cleanUp } from './clean-up.ts'
import { crossBackward } from './crossing.ts'
import { waitForCatchUp } from './follow.ts'
import type { Cleanup } from './journal.ts'
import type { MoveContext } from './move-context.ts'
import type { MoveReport } from './move-record.ts'
import { compareRows, wholeTables } from './proof.ts'
import { describeMismatches } from './prove.ts'
import { ComparedSides } from './snapshots.ts'

/*
 * The three ends of a move. Each takes away what is recorded for clean-up, and the phase says what that is:
 *
 *   abort      before the switch: everything at the target, the stream at the source, the fence. The source goes on.
 *   complete   after it: the stream back, then the old shard, table by table, behind its fence.
 *   reverse    after it: a cutover the other way, over the stream back; then everything at the target.
 *
 * A crash in any of them is followed by the same again.
 */

/** Takes away what a move has made before its switch. */
export async function abortMove(context: MoveContext): Promise<void> {
  await context.journal.enter('aborting')
  await removeAll(context)
  await context.journal.enter('aborted')
}

/** Gives up the way back, and takes the old shard away. */
export async function completeMove(context: MoveContext): Promise<void> {
  const { journal, move, target } = context
  // A crash in a cutover back may have left a fence where the shard lives.
  await target.withSession((session) => session.execute([lowerFenceSql(move.shardId)]))
  await journal.enter('completing')
  await removeAll(context)
  await journal.enter('completed')
}

/** Brings the shard back to where it was. Undefined if a crash took the snapshots that the proof compares. */
export async function reverseMove(context: MoveContext): Promise<MoveReport | undefined> {
  const report = context.journal.phase === 'reversing' ? undefined : await crossBack(context)
  await letWrite(context)
  await removeAll(context)
  if (report !== undefined) await context.journal.keepReport(report)
  await context.journal.enter('reversed')
  return report
}

async function crossBack(context: MoveContext): Promise<MoveReport> {
  const { move, source, target, objects } = context
  const { tables } = await context.definition()
  await waitForCatchUp(context, target, objects.reverse)
  await using sides = await ComparedSides.open(target, source)
  const { pauseMs, lsn } = await crossBackward(context, sides)
  await letWrite(context)
  const compared = await compareRows(move.shardId, wholeTables(tables), sides.sessions)
  return { ...compared, mismatches: describeMismatches(compared), pauseMs, lsn, isExact: true }
}

/** First of all: until the fence of the source is down, writers are refused on both sides, and wait. */
function letWrite(context: MoveContext): Promise<void> {
  const { serverId } = context.source
  return removeAll(context, (cleanup) => cleanup.kind === 'fence' && cleanup.serverId === serverId)
}

function removeAll(context: MoveContext, only?: (cleanup: Cleanup) => boolean): Promise<void> {
  const { journal, move, links } = context
  return cleanUp(journal, move.shardId, links, {
    ...(only !== undefined && { only }),
    checkpoint: (name) => context.checkpoint(name),
  })
}
