import { Key } from '../../key/key.ts'
import { flooredNextIdSql } from '../../key/next-id-sql.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import { readHighestKey } from './sequences-sql.ts'

/*
 * The clock of the new server may be behind that of the old one: keys that it made would be at or below keys that
 * exist. Then its `next_id()` counts from a floor, just above the highest key, until its clock has come so far.
 */

/** The millisecond, since the epoch of the keys, of the highest key of a shard; undefined without rows. */
export async function readHighestMs(
  session: ServerSession,
  shardId: number,
  epochMs: number,
): Promise<number | undefined> {
  const [row] = await session.read(readHighestKey(shardId))
  return row?.[0] == null ? undefined : new Key(row[0], epochMs).created.getTime() - epochMs
}

/**
 * Raises the floor of the new server where its clock calls for it. Asked after its sequences were set.
 *
 * @param highestMs what {@link readHighestMs} gave at the old server
 */
export async function ensureKeyFloor(
  session: ServerSession,
  shardId: number,
  epochMs: number,
  highestMs: number | undefined,
): Promise<boolean> {
  if (highestMs === undefined) return false
  const [clock] = await session.read({ text: 'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint' })
  if (Number(clock?.[0]) - epochMs > highestMs) return false
  const [sequence] = await session.read({ text: `select last_value from ${shardSchema(shardId)}.table_id_seq` })
  await session.execute([flooredNextIdSql(shardId, epochMs, { ms: highestMs + 1, number: BigInt(sequence?.[0] ?? 0) })])
  return true
}
