import { Key } from '../../key/key.ts'
import { flooredNextIdSql, readFloor } from '../../key/next-id-sql.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { parseSequences, sequencesSql, type SequenceStates } from '../../schema/closed-sequences-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'

/*
 * The clock of the new server may be behind that of the old one: keys that it made would be at or below keys that were
 * issued. Then its `next_id()` counts from a floor until its clock has come so far. What was issued is not what is stored: a
 * row may be deleted, and a key may be drawn and never used. So the floor is above all of
 *
 *   the old server's clock   behind its fence, where nobody draws a key any more
 *   its own floor            that it has from an earlier move, and as far as it has counted since
 *   its highest key          which may come from a time when its clock was ahead, or from an import
 */

/** The shard, and the zero of its clock. */
interface Shard {
  readonly shardId: number
  readonly epochMs: number
}

/** What a server may have issued last. */
export interface Issued {
  /** Millisecond since the epoch of the keys. */
  readonly ms: number
  /** Where the sequence of the keys stands. */
  readonly number: bigint
}

/** What is to be carried to the new server behind the fence. */
export interface Left {
  readonly sequences: SequenceStates
  readonly issued: Issued
}

/** Where the sequences of a server stand, and what it may have issued. Asked behind its fence, in one round trip. */
export async function readLeft(session: ServerSession, { shardId, epochMs }: Shard): Promise<Left> {
  const schema = shardSchema(shardId)
  const text = [
    'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint,',
    `  (select prosrc from pg_proc where oid = to_regprocedure('${schema}.next_id()')),`,
    // Keys after 2048 are negative, and above all others.
    `  coalesce((select max(id) from ${schema}.entities where id < 0), (select max(id) from ${schema}.entities)),`,
    `  ${sequencesSql(shardId)}`,
  ].join('\n')
  const [[clock, body, id, states] = []] = await session.read({ text })
  const sequences = parseSequences(states)
  const number = BigInt(sequences.table_id_seq?.last ?? 0)
  const highestMs = id == null ? 0 : new Key(id, epochMs).created.getTime() - epochMs
  const ms = Math.max(Number(clock) - epochMs, flooredMs(body ?? '', number), highestMs)
  return { sequences, issued: { ms, number } }
}

/** How far the floor of a `next_id()` has come. */
function flooredMs(body: string, number: bigint): number {
  const floor = readFloor(body)
  return floor === undefined ? 0 : floor.ms + Number((number - floor.number) / 1024n)
}

/** Raises the floor of the new server above what the old one may have issued, if its own clock is not. */
export async function ensureKeyFloor(
  session: ServerSession,
  { shardId, epochMs, ms, number }: Shard & Issued,
): Promise<boolean> {
  const [clock] = await session.read({ text: 'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint' })
  if (Number(clock?.[0]) - epochMs > ms) return false
  await session.execute([flooredNextIdSql(shardId, epochMs, { ms: ms + 1, number })])
  return true
}
