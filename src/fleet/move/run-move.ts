import { HypervaultError } from '../../errors.ts'
import { cleanUp } from './clean-up.ts'
import { crossForward } from './crossing.ts'
import { openFence } from './fence.ts'
import { waitForCatchUp, waitForCopy } from './follow.ts'
import type { MoveContext } from './move-context.ts'
import type { MoveReport } from './move-record.ts'
import { preflight } from './preflight.ts'
import { createTables, makeSlot, publish, subscribe } from './prepare.ts'
import { finishTablesSql } from './prepare-sql.ts'
import { compareFrozen, compareLive } from './prove.ts'
import { rehearse } from './rehearse.ts'
import { createSubscriptionSql } from './replication-sql.ts'
import { assertTablesAsMade, whileSame } from './same-definition.ts'
import { assertSlot } from './slot-state.ts'
import { ComparedSides } from './snapshots.ts'
import { copyThrottled } from './throttled-copy.ts'
import { LONG_STATEMENT_MS } from '../servers.ts'
import { subscribeBack } from './turn.ts'

/*
 * A move from its beginning to the stream back, as a list of steps (the phases are in move-record.ts). A crash in any
 * step is followed by `resume`, which runs this again: steps that are done are passed over, the one that was under way
 * is done again. Until the switch `abort` is possible instead: it takes away what is recorded.
 *
 *   step               makes                                              at
 *   preflight          nothing; all problems at once
 *   rehearsal          nothing; the whole definition, rolled back          target
 *   tables             schema, fenced tables; table of markers            target; source
 *   publication, slot  the stream of changes                              source
 *   throttled copy     in the place of the slot, if a rate is given: the
 *                      slot and the rows, see throttled-copy.ts           source, target
 *   subscription       its reader, which first copies the rows, unless
 *                      they are there                                     target
 *   indexes            the rest of the definition, statistics             target
 *   way back           publication and slot for after the switch          target
 *   compare            nothing; live rows of both sides
 *   cutover            see cut-over.ts; ends with the phase `switched`
 *   turn               the reader the other way round                     source
 *   prove              nothing; the snapshots of the cutover
 */

/** Runs a move, or what is left of it, up to the phase `mirroring`. */
export async function runMove(context: MoveContext): Promise<MoveReport> {
  if (context.move.phase === 'switched') return finishAfterCrash(context)
  await copyRows(context)
  await catchUp(context)
  return crossOver(context)
}

async function copyRows(context: MoveContext): Promise<void> {
  const { journal, objects, source, target, move } = context
  const { forward } = objects
  const { throttleBytesPerSecond } = move.options
  await step(context, 'preflight', () => preflight(context))
  await step(context, 'rehearsal', () => rehearse(context))
  await step(context, 'tables', () => createTables(context))
  await step(context, 'publication', () => publish(context, source, forward))
  // Behind the publication, because nobody changes what the shard is made of from then on.
  await assertTablesAsMade(context)
  const isCopying = throttleBytesPerSecond === undefined
  if (isCopying) await step(context, 'slot', () => makeSlot(context, source, forward))
  await journal.enter('copying')
  if (!isCopying) await step(context, 'throttled copy', () => copyThrottled(context, throttleBytesPerSecond))
  await step(context, 'subscription', () =>
    subscribe(context, { publisher: source, subscriber: target, name: forward }, (connection) => [
      createSubscriptionSql(forward, connection, { isCopying }),
    ]),
  )
  await step(context, 'copy', () => whileSame(context, () => waitForCopy(context)))
}

async function catchUp(context: MoveContext): Promise<void> {
  const { journal, objects, source, target } = context
  await journal.enter('catching-up')
  // A crash in a cutover may have left the fence: writers go on while the rest is done.
  await openFence(source, context.move)
  await step(context, 'indexes', () => finishTables(context))
  await followSource(context)
  await step(context, 'way back: publication', () => publish(context, target, objects.reverse))
  await step(context, 'way back: slot', () => makeSlot(context, target, objects.reverse))
  await step(context, 'compare', () => assertEqual(context))
  await followSource(context)
}

function followSource(context: MoveContext): Promise<void> {
  return whileSame(context, () => waitForCatchUp(context, context.source, context.objects.forward))
}

async function crossOver(context: MoveContext): Promise<MoveReport> {
  const { journal, source, target, objects } = context
  // Before the switch, and not behind it: a shard that has moved has a way back.
  await target.withSession((session) => assertSlot(session, context, objects.reverse))
  await using sides = await ComparedSides.open(source, target)
  const end = await crossForward(context, sides)
  journal.noteEntered('switched')
  await turn(context)
  const compared = await compareFrozen(context, sides)
  const { pauseMs, lsn } = end
  const report = { ...compared, pauseMs, lsn, isExact: true }
  await journal.keepReport(report)
  await journal.enter('mirroring')
  return assertProved(context, report)
}

/** The snapshots went with the process that had them: what can be compared are the live rows of both sides. */
async function finishAfterCrash(context: MoveContext): Promise<MoveReport> {
  const { journal, move, source, target } = context
  await openFence(target, move)
  await turn(context)
  const compared = await compareLive(context, { from: target, to: source })
  const report = { ...compared, pauseMs: 0, lsn: '', isExact: false }
  await journal.keepReport(report)
  await journal.enter('mirroring')
  return assertProved(context, report)
}

/** From here on the old server follows the new one. */
async function turn(context: MoveContext): Promise<void> {
  const { journal, objects, move, links } = context
  await cleanUp(journal, move.shardId, links, {
    only: ({ name }) => name === objects.forward,
    checkpoint: (name) => context.checkpoint(name),
  })
  await step(context, 'turn', () => subscribeBack(context))
}

/** Makes what is left of the definition, all at once, and gathers statistics. */
async function finishTables(context: MoveContext): Promise<void> {
  const statements = finishTablesSql(await context.definition())
  context.tell({ phase: 'catching-up', step: 'make indexes' })
  await context.target.withSession(
    (session) => session.transaction(['begin'], () => session.execute(statements)),
    context.signal,
    LONG_STATEMENT_MS,
  )
}

/** Rows that differ before the switch end the move; the source is untouched. */
async function assertEqual(context: MoveContext): Promise<void> {
  const { source, target } = context
  const compared = await compareLive(context, { from: source, to: target })
  if (compared.mismatches.length > 0) throw mismatchError(context, compared.mismatches, 'abort')
}

function assertProved(context: MoveContext, report: MoveReport): MoveReport {
  if (report.mismatches.length > 0) throw mismatchError(context, report.mismatches, 'reverse')
  return report
}

function mismatchError(
  { move }: MoveContext,
  mismatches: readonly string[],
  remedy: 'abort' | 'reverse',
): HypervaultError<'HV_MOVE_MISMATCH'> {
  const message = `the rows of shard ${move.shardId} differ between ${move.source} and ${move.target}: ${mismatches.join('; ')}`
  const hint = `Run: npx pg-hypervault move ${remedy} ${move.moveId}`
  const details = { moveId: move.moveId, shardId: move.shardId, mismatches: [...mismatches] }
  return new HypervaultError('HV_MOVE_MISMATCH', message, details, { hint })
}

async function step(context: MoveContext, name: string, work: () => Promise<void>): Promise<void> {
  const { journal } = context
  if (journal.isDone(name)) return
  await context.lease.assertHeld()
  context.tell({ phase: journal.phase, step: name })
  await journal.step(name, work)
  await context.checkpoint(`${name} done`)
}
