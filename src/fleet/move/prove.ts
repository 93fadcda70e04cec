import type { ServerSession } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { stalled } from './follow.ts'
import { findMarker, writeMarker } from './marker-sql.ts'
import type { MoveContext, MoveSight } from './move-context.ts'
import type { MoveReport } from './move-record.ts'
import {
  compareAgain,
  compareTables,
  describeMismatches,
  listLasting,
  type Comparison,
  type Mismatch,
} from './proof.ts'
import { ComparedSides } from './snapshots.ts'
import { waitFor } from './wait.ts'

/*
 * Compares live rows. Each look sees frozen rows, of another moment at each side. What differs at the first look may be in
 * flight, so it is looked at again, in smaller chunks, each time after a marker has crossed: then what the side that is
 * written had at the look before is at the other side. A row that differs in two such looks, while it has changed on
 * neither side, differs. One that changes all the time is left to the proof, which compares the rows of one moment.
 */

/** Looks at what differed at the first one. Two make the chunks smaller; the others see the same ones, and are compared. */
const LATER_LOOKS = [
  { isFinest: false },
  { isFinest: false },
  { isFinest: true },
  { isFinest: true },
  { isFinest: true },
]

const POLL_MS = 5

/** A stream: what is written at `from` arrives at `to`. */
export interface Stream {
  readonly from: FleetLink
  readonly to: FleetLink
}

/** What a comparison has found, as a move reports it. */
export type Proof = Pick<MoveReport, 'tables' | 'rows' | 'chunks' | 'mismatches'>

/** Waits until what was committed at one side before now is at the other. */
export type Cross = (sight: MoveSight, sessions: readonly [ServerSession, ServerSession]) => Promise<void>

/**
 * Compares the rows at the two ends of a stream, while they are written. Throws `HV_MOVE_STALLED`.
 *
 * @param cross how the stream is waited for; default by a marker, which is a row that it writes
 */
export async function compareLive(
  context: MoveSight,
  { from, to }: Stream,
  cross: Cross = crossMarker,
): Promise<Proof> {
  const { move, signal } = context
  const { shardId } = move
  const { tables } = await context.definition()
  await using sides = await ComparedSides.open(from, to)
  const onRows = (rows: number): void => context.tell({ phase: context.journal.phase, step: 'compare', rows })
  const first = await sides.look(() => compareTables(shardId, tables, sides.sessions, { onRows, signal }))
  let mismatches = first.mismatches
  let before: readonly Mismatch[] = []
  for (const { isFinest } of LATER_LOOKS) {
    if (mismatches.length === 0) break
    await cross(context, sides.sessions)
    const known = mismatches
    const again = await sides.look(() => compareAgain(shardId, known, sides.sessions, { isFinest, onRows, signal }))
    before = known
    mismatches = again.mismatches
  }
  return reportOf(first, listLasting(before, mismatches), sides)
}

/** Compares the rows of the moment at which both sides were frozen, and makes small chunks of what differs. */
export async function compareFrozen(context: MoveContext, sides: ComparedSides): Promise<Proof> {
  const { move, journal, signal } = context
  const { shardId } = move
  const { tables } = await context.definition()
  const onRows = (rows: number): void => context.tell({ phase: journal.phase, step: 'prove', rows })
  const options = { onRows, signal }
  const first = await compareTables(shardId, tables, sides.sessions, options)
  let { mismatches } = first
  for (let look = 0; look < 2 && mismatches.length > 0; look += 1) {
    mismatches = (await compareAgain(shardId, mismatches, sides.sessions, { signal })).mismatches
  }
  return reportOf(first, mismatches, sides)
}

function reportOf(first: Comparison, mismatches: readonly Mismatch[], { sessions }: ComparedSides): Proof {
  const [left, right] = sessions
  return { ...first, mismatches: describeMismatches(mismatches, [left.serverId, right.serverId]) }
}

/** Waits until everything that was committed at one side before now is at the other. */
async function crossMarker(context: MoveSight, [from, to]: readonly [ServerSession, ServerSession]): Promise<void> {
  const { move, limits, signal } = context
  const marker = `look ${Date.now()} ${performance.now()}`
  const until = performance.now() + limits.stallTimeoutMs
  await from.read(writeMarker(move.shardId, marker))
  await waitFor(
    async () => {
      if ((await to.read(findMarker(move.shardId, marker))).length > 0) return true
      if (performance.now() > until) throw stalled(context, 'a marker does not arrive')
      return undefined
    },
    { signal, pauseMs: POLL_MS },
  )
}
