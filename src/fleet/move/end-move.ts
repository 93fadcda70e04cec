import { cleanUp } from './clean-up.ts'
import { crossBackward } from './crossing.ts'
import { openFence } from './fence.ts'
import { waitForCatchUp } from './follow.ts'
import type { MoveContext } from './move-context.ts'
import { getMove, type MoveReport } from './move-record.ts'
import { compareFrozen } from './prove.ts'
import { assertNoDependents } from './remove-schema.ts'
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
  const { journal, move, source } = context
  await journal.enter('aborting')
  // A crash in the cutover may have left the fence: writers do not wait for the rest.
  await openFence(source, move)
  await removeAll(context)
  await journal.enter('aborted')
}

/** What is left to do for a shard that has moved: a crash in a cutover back may have left a fence where it lives. */
export function letMirrorWrite({ move, target }: MoveContext): Promise<void> {
  return openFence(target, move)
}

/** Gives up the way back, and takes the old shard away. */
export async function completeMove(context: MoveContext): Promise<void> {
  const { journal, move, source } = context
  await letMirrorWrite(context)
  // First of all: the way back is not given up for a schema that then has to stay.
  await source.withSession((session) => assertNoDependents(session, move.shardId))
  await journal.enter('completing')
  await removeAll(context)
  await journal.enter('completed')
}

/** Brings the shard back to where it was. Undefined if a crash took the snapshots that the proof compares. */
export async function reverseMove(context: MoveContext): Promise<MoveReport | undefined> {
  const report = context.journal.phase === 'reversing' ? await keptReport(context) : await crossBack(context)
  // At once: a crash from here on leaves it to the next attempt.
  if (report !== undefined) await context.journal.keepReport(report)
  // A crash right after the cutover has left both fences, and writers wait.
  await openFence(context.source, context.move)
  await removeAll(context)
  await context.journal.enter('reversed')
  return report
}

/** What an attempt before this one has proved of the way back. */
async function keptReport({ catalog, move }: MoveContext): Promise<MoveReport | undefined> {
  return (await getMove(catalog, move.moveId)).report
}

async function crossBack(context: MoveContext): Promise<MoveReport> {
  const { move, source, target, objects } = context
  await target.withSession((session) => assertNoDependents(session, move.shardId))
  await waitForCatchUp(context, target, objects.reverse)
  await using sides = await ComparedSides.open(target, source)
  const { pauseMs, lsn } = await crossBackward(context, sides)
  return { ...(await compareFrozen(context, sides)), pauseMs, lsn, isExact: true }
}

function removeAll(context: MoveContext): Promise<void> {
  const { journal, move, links } = context
  return cleanUp(journal, move.shardId, links, { checkpoint: (name) => context.checkpoint(name) })
}
