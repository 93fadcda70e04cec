import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { within } from '../../pool/within.ts'
import { carrySequencesSql } from '../../schema/closed-sequences-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { raiseFence } from './fence.ts'
import { ensureKeyFloor, readLeft, type Issued } from './key-floor.ts'
import { findMarker, writeMarker } from './marker-sql.ts'
import { waitFor } from './wait.ts'

/*
 * The few milliseconds in which a shard changes its server. `from` is where it lives, `to` where it goes to; a stream of
 * changes runs from the one to the other.
 *
 *   1. fence at `from`       writers in flight are waited out, later ones are refused: nothing is written any more, and no
 *                            number drawn from a sequence
 *   2. marker                a row written behind the fence; when `to` shows it, `to` has everything. Meanwhile the sequences
 *                            are carried, and it is looked whether anybody has changed what the shard is made of
 *   3. snapshots             on both sides, of the same rows; they are compared after the switch, at leisure
 *   4. floor                 so that `to` issues no key that exists; the stream back begins here
 *   5. switch                one transaction of the catalog: the point of no return
 *   6. fence at `to` opened  with its sequences; it refused whoever did not know that the shard was not there yet; writers go on
 *
 * Before the switch every failure, and running out of time, opens the fence: writers go on at `from`. That does not depend
 * on who is silent: what is under way at the end of the pause is not waited for. If nobody can tell whether the switch was
 * committed, the fence stays: two places that take writes would be worse than none.
 */

/** What a cutover works with: sessions that are open already, so that nothing connects during the pause. */
export interface Cutover {
  readonly shardId: number
  readonly epochMs: number
  /** Name of the server that the shard goes to, and the epoch from which it is there. */
  readonly target: string
  readonly epoch: number
  /** Token of the lease. */
  readonly token: number
  /** Throws when another operator has taken over. */
  readonly assertHeld: () => Promise<void>
  readonly marker: string
  readonly tables: readonly string[]
  readonly from: ServerSession
  readonly to: ServerSession
  /** Longest pause of the writers, and longest time for all attempts to get there. */
  readonly maxPauseMs: number
  readonly fenceTimeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Throws when the shard has a table that is not carried over. Asked behind the fence. */
  readonly assertSameTables: () => Promise<void>
  /** Throws when the shard was changed since both sides were compared. Asked behind the fence, on sessions of its own. */
  readonly assertUnchanged: () => Promise<void>
  /** Opens the snapshots that the proof compares. */
  readonly openSnapshots: () => Promise<string>
  /** Makes the stream back begin with what is written from now on. */
  readonly startReverse: () => Promise<void>
  /** The point of no return. Rejects with `HV_OUTCOME_UNKNOWN` when nobody can tell. */
  readonly switchOver: (leftMs: number) => Promise<void>
  /** Opens the fence of the new server. */
  readonly letWrite: () => Promise<void>
  /** Opens the fence of the old server again, if it was put up under this lease. */
  readonly letWriteAgain: () => Promise<void>
  readonly checkpoint: (name: string) => Promise<void>
}

/** What a cutover took. */
export interface CutoverEnd {
  readonly pauseMs: number
  readonly lsn: string
  /** Whether the clock of the new server is behind, so that its keys count from a floor for a while. */
  readonly hasFloor: boolean
}

const POLL_MS = 1

/** Changes the server of a shard. Throws `HV_MOVE_BLOCKED`, `HV_MOVE_PAUSE`, or what a step throws; see the note. */
export async function cutOver(cutover: Cutover): Promise<CutoverEnd> {
  const { shardId, target, epoch, token } = cutover
  let startedAt: number
  let end: Omit<CutoverEnd, 'pauseMs'>
  try {
    startedAt = await raiseFence(cutover.from, { shardId, target, epoch, token }, cutover.tables, cutover)
    end = await bringOverInTime(cutover, startedAt)
    await cutover.switchOver(cutover.maxPauseMs - (performance.now() - startedAt))
  } catch (error) {
    if (!isHypervaultError(error, 'HV_OUTCOME_UNKNOWN')) await tryOpenFence(cutover)
    throw error
  }
  await cutover.letWrite()
  const pauseMs = Math.round((performance.now() - startedAt) * 10) / 10
  // Nothing behind the switch may open the fence of the old server.
  await cutover.checkpoint('switched')
  return { ...end, pauseMs }
}

/** Once the pause is over nobody waits for what is under way: it finds its sessions returned. */
async function bringOverInTime(cutover: Cutover, startedAt: number): Promise<Omit<CutoverEnd, 'pauseMs'>> {
  const leftMs = Math.max(1, cutover.maxPauseMs - (performance.now() - startedAt))
  const onTimeout = (): Error => pauseError(cutover, startedAt)
  return within(bringOver(cutover, startedAt), { signal: undefined, timeoutMs: leftMs }, onTimeout)
}

async function bringOver(cutover: Cutover, startedAt: number): Promise<Omit<CutoverEnd, 'pauseMs'>> {
  const { to, shardId, epochMs } = cutover
  const assertInTime = (): void => assertPause(cutover, startedAt)
  await cutover.checkpoint('fenced')
  const [issued] = await Promise.all([carryOver(cutover, assertInTime), cutover.assertUnchanged()])
  await cutover.checkpoint('marker arrived')
  // Once more: behind a successor the stream back would begin too late.
  await cutover.assertHeld()
  const [lsn, hasFloor] = await Promise.all([
    cutover.openSnapshots(),
    cutover.startReverse().then(() => ensureKeyFloor(to, { shardId, epochMs, ...issued })),
  ])
  await cutover.checkpoint('ready to switch')
  assertInTime()
  return { lsn, hasFloor }
}

/** Sends the marker, and carries the sequences while it is on its way. Gives what `from` may have issued. */
async function carryOver(cutover: Cutover, assertInTime: () => void): Promise<Issued> {
  const { from, to, shardId, epochMs, marker } = cutover
  const read = from.read(writeMarker(shardId, marker)).then(() => readLeft(from, { shardId, epochMs }))
  // An operator that was taken over carries nothing.
  const [{ sequences, issued }] = await Promise.all([read, cutover.assertHeld()])
  const carried = to.execute([carrySequencesSql(shardId, sequences)])
  await Promise.all([carried.then(() => waitForMarker(cutover, assertInTime)), cutover.assertSameTables()])
  return issued
}

async function waitForMarker({ to, shardId, marker, signal }: Cutover, assertInTime: () => void): Promise<void> {
  const statement = findMarker(shardId, marker)
  await waitFor(
    async () => {
      const rows = await to.read(statement)
      assertInTime()
      return rows.length > 0 ? true : undefined
    },
    { signal, pauseMs: POLL_MS },
  )
}

function assertPause(cutover: Cutover, startedAt: number): void {
  if (performance.now() - startedAt > cutover.maxPauseMs) throw pauseError(cutover, startedAt)
}

function pauseError({ shardId, maxPauseMs }: Cutover, startedAt: number): HypervaultError<'HV_MOVE_PAUSE'> {
  const pauseMs = Math.round(performance.now() - startedAt)
  const message = `the writers of shard ${shardId} had to wait ${pauseMs} ms, longer than ${maxPauseMs}: they go on where they were`
  return new HypervaultError('HV_MOVE_PAUSE', message, { shardId, pauseMs, maxPauseMs })
}

/** Longest wait for the catalog to say whether another operator has taken over. Its fence carries another token anyway. */
const ASK_LEASE_MS = 1_000

/** Lets the writers go on; the fence of an operator that has taken over stays. What fails here, `resume` makes good. */
async function tryOpenFence(cutover: Cutover): Promise<void> {
  if (await hasSuccessor(cutover)) return
  // There is an error to be told already, and one from here is likely to have the same cause.
  await cutover.letWriteAgain().catch(() => undefined)
}

/** A catalog that does not answer is no reason to let the writers stand. */
async function hasSuccessor({ assertHeld }: Cutover): Promise<boolean> {
  const bounds = { signal: undefined, timeoutMs: ASK_LEASE_MS }
  return within(
    assertHeld().then(
      () => false,
      (error: unknown) => isHypervaultError(error, 'HV_LEASE_LOST'),
    ),
    bounds,
    () => false,
  )
}
