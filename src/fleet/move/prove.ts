import type { MoveContext } from './move-context.ts'
import { compareRows, describeChunk, wholeTables, type Chunk, type Comparison } from './proof.ts'
import { ComparedSides } from './snapshots.ts'
import { pause } from './wait.ts'

/** Chunks of the looks after the first: what is in flight differs here and there, and must be equal at some time. */
const LATER_LOOKS = [1_000, 50, 1, 1, 1, 1, 1, 1, 1, 1]

const PAUSE_MS = 100

/**
 * Compares live rows, of which some are in flight: what differs is looked at again, in smaller chunks, until it was
 * equal once. What never is, differs.
 */
export async function compareLive(context: MoveContext): Promise<Comparison> {
  const { source, target, move, signal } = context
  const { tables } = await context.definition()
  await using sides = await ComparedSides.open(source, target)
  const onRows = (rows: number): void => {
    signal?.throwIfAborted()
    context.tell({ phase: 'catching-up', step: 'compare', rows })
  }
  const first = await compareRows(move.shardId, wholeTables(tables), sides.sessions, { onRows })
  let mismatches: readonly Chunk[] = first.mismatches
  for (const rowsPerChunk of LATER_LOOKS) {
    if (mismatches.length === 0) break
    await pause(PAUSE_MS, signal)
    mismatches = (await compareRows(move.shardId, mismatches, sides.sessions, { rowsPerChunk })).mismatches
  }
  return { ...first, mismatches }
}

/** Names what differs, for a report. */
export function describeMismatches({ mismatches }: Comparison): string[] {
  return mismatches.map(describeChunk)
}
