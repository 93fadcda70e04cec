import { HypervaultError } from '../../errors.ts'
import { cleanUp } from './clean-up.ts'
import { crossBackward } from './crossing.ts'
import { openFence } from './fence.ts'
import { waitForCatchUp } from './follow.ts'
import type { MoveContext, MoveSight } from './move-context.ts'
import { getMove, type MoveReport } from './move-record.ts'
import { compareFrozen } from './prove.ts'
import { assertNoDependents } from './remove-schema.ts'
import { assertSameDefinition } from './same-definition.ts'
import { assertSlot } from './slot-state.ts'
import { ComparedSides } from './snapshots.ts'
import { assertNoStrayWrites } from './stray-writes.ts'

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
  if (journal.phase === 'mirroring') await assertNoStrayWrites(context)
  await journal.enter('completing')
  await removeAll(context)
  await journal.enter('completed')
}

/** Brings the shard back to where it was. Undefined if a crash took the snapshots that the proof compares. */
export async function reverseMove(context: MoveContext): Promise<MoveReport | undefined> {
  const isFirst = context.journal.phase !== 'reversing'
  const report = isFirst ? await crossBack(context) : await keptReport(context)
  // At once: a crash from here on leaves it to the next attempt.
  if (report !== undefined) await context.journal.keepReport(report)
  // A crash right after the cutover has left both fences, and writers wait.
  await openFence(context.source, context.move)
  // What differs is looked at before the other side is gone: `resume` then takes it away.
  if (isFirst && report !== undefined && report.mismatches.length > 0)
    throw differsBack(context, report.mismatches, 'lives')
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
  await target.withSession(async (session) => {
    await assertSlot(session, context, objects.reverse)
    await assertNoDependents(session, move.shardId)
  })
  await assertSameDefinition(context)
  await waitForCatchUp(context, target, objects.reverse)
  await using sides = await ComparedSides.open(target, source)
  const { pauseMs, lsn } = await crossBackward(context, sides)
  return { ...(await compareFrozen(context, sides)), pauseMs, lsn, isExact: true }
}

/** The error of a reversal behind which the rows differ; `state` says whether the shard is back. */
export function differsBack(
  { move }: MoveSight,
  mismatches: readonly string[],
  state: 'lives' | 'would be back',
): HypervaultError<'HV_MOVE_MISMATCH'> {
  const { moveId, shardId, source, target } = move
  const place = state === 'lives' ? `lives on server ${source} again` : `would be back on server ${source}`
  const message = `shard ${shardId} ${place}, and its rows differ from those on server ${target}, which are kept: ${mismatches.join('; ')}`
  const hint = `Copy the rows that server ${source} lacks. Then run: npx pg-hypervault move resume ${moveId}, which drops the rest`
  return new HypervaultError('HV_MOVE_MISMATCH', message, { moveId, shardId, mismatches: [...mismatches] }, { hint })
}

function removeAll(context: MoveContext): Promise<void> {
  const { journal, move, links } = context
  return cleanUp(journal, move.shardId, links, { checkpoint: (name) => context.checkpoint(name) })
}
