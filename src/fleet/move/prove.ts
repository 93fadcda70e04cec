import type { ServerSession } from '../../schema/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { stalled } from './follow.ts'
import { findMarker, writeMarker } from './marker-sql.ts'
import type { MoveContext } from './move-context.ts'
import { compareRows, describeChunk, endedTables, listLasting, type Comparison, type Mismatch } from './proof.ts'
import { ComparedSides } from './snapshots.ts'
import { waitFor } from './wait.ts'

/*
 * Compares live rows. What differs at the first look may be in flight, so it is looked at again, in smaller chunks, each
 * time after a marker has crossed: then what the side that is written had at the look before is at the other side. A
 * row that differs in two such looks, while it has changed on neither side, differs. One that changes all the time is
 * left to the proof, which compares frozen rows.
 */

/** Rows in a chunk at the looks after the first. The last ones are of single rows, so that they can be compared. */
const LATER_LOOKS = [1_000, 50, 1, 1, 1]

const POLL_MS = 5

/** A stream: what is written at `from` arrives at `to`. */
export interface Stream {
  readonly from: FleetLink
  readonly to: FleetLink
}

/** Compares the rows at the two ends of a stream, while they are written. Throws `HV_MOVE_STALLED`. */
export async function compareLive(context: MoveContext, { from, to }: Stream): Promise<Comparison> {
  const { move, signal } = context
  const { shardId } = move
  const { tables } = await context.definition()
  await using sides = await ComparedSides.open(from, to)
  const onRows = (rows: number): void => {
    signal?.throwIfAborted()
    context.tell({ phase: context.journal.phase, step: 'compare', rows })
  }
  const runs = await endedTables(sides.sessions[0], shardId, tables)
  const first = await compareRows(shardId, runs, sides.sessions, { onRows })
  let mismatches = first.mismatches
  let before: readonly Mismatch[] = []
  for (const rowsPerChunk of LATER_LOOKS) {
    if (mismatches.length === 0) break
    await crossMarker(context, sides.sessions)
    before = mismatches
    mismatches = (await compareRows(shardId, before, sides.sessions, { rowsPerChunk, onRows })).mismatches
  }
  return { ...first, tables: tables.length, mismatches: listLasting(before, mismatches) }
}

/** Names what differs, for a report. */
export function describeMismatches({ mismatches }: Comparison): string[] {
  return mismatches.map(describeChunk)
}

/** Waits until everything that was committed at one side before now is at the other. */
async function crossMarker(context: MoveContext, [from, to]: readonly [ServerSession, ServerSession]): Promise<void> {
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
