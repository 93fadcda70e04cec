import { HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { readFence } from '../../schema/fence-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { MoveSight } from './move-context.ts'
import { compareLive, type Cross } from './prove.ts'
import { assertSameTables, assertSequencesClosed } from './same-definition.ts'
import { assertSlot } from './slot-state.ts'

/*
 * Nothing but the stream back may have written the old shard since the cutover: what else did is nowhere else, and would go
 * with it. Its fence stops every client and every other subscription. What it cannot stop is somebody who may alter the
 * tables and switches triggers off. PostgreSQL writes a trigger anew whenever it is switched off or on, and so that is seen:
 * the fence is read in the cutover, behind which the rows are proved, and again before the old shard is taken away. Where it
 * is not the same, or the proof has found rows that differ, all rows are compared.
 */

/** Step whose result is what the fence of the old server was made of in the cutover. */
export const FENCE_READ = 'fence: read'

/** What the fence of a shard is made of now. */
export async function readFenceOf(session: ServerSession, shardId: number): Promise<string> {
  const [row] = await session.read(readFence(shardId))
  return row?.[0] ?? ''
}

/**
 * Proves that the old shard has nothing that the new one lacks.
 *
 * @throws `HV_MOVE_CHANGED` for a table that came later, or a sequence that was altered there, `HV_MOVE_MISMATCH` for rows; `HV_MOVE_SLOT_LOST` when it cannot
 *   be proved any more
 */
export async function assertNoStrayWrites(context: MoveSight, cross?: Cross): Promise<void> {
  const { move, journal, source, target, objects } = context
  const { shardId, report } = move
  const isUntouched = await source.withSession(async (session) => {
    await assertSequencesClosed(session, move)
    if ((await readFenceOf(session, shardId)) === journal.resultOf(FENCE_READ)) return true
    await assertSameTables(session, move, await listFenced(session, shardId))
    return false
  })
  if (isUntouched && (report?.mismatches.length ?? 0) === 0) return
  await target.withSession((session) => assertSlot(session, context, objects.reverse))
  const { mismatches } = await compareLive(context, { from: target, to: source }, cross)
  if (mismatches.length > 0) throw mismatchError(context, mismatches)
}

/** The tables that were there when the fence was put up, and all sequences: one that came later has no rows to lose. */
async function listFenced(session: ServerSession, shardId: number): Promise<string[]> {
  const rows = await session.read({
    text: [
      'select relname from pg_catalog.pg_trigger join pg_catalog.pg_class as hv_table on hv_table.oid = tgrelid',
      "where tgname = 'hv_fence' and relnamespace = $1::regnamespace",
      "union all select relname from pg_catalog.pg_class where relkind = 'S' and relnamespace = $1::regnamespace",
    ].join('\n'),
    values: [shardSchema(shardId)],
  })
  return rows.map(([name]) => name ?? '')
}

function mismatchError({ move }: MoveSight, mismatches: readonly string[]): HypervaultError<'HV_MOVE_MISMATCH'> {
  const { moveId, shardId, source, target } = move
  const message = `the old shard ${shardId} on server ${source} was changed despite its fence, or was never equal: its rows differ from those on server ${target}: ${mismatches.join('; ')}`
  const hint = `Copy the rows that server ${target} lacks, make the rows equal, and run again: npx pg-hypervault move complete ${moveId}; or move the shard back: npx pg-hypervault move reverse ${moveId}`
  const details = { moveId, shardId, mismatches: [...mismatches] }
  return new HypervaultError('HV_MOVE_MISMATCH', message, details, { hint })
}
