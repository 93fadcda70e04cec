import { Key } from '../../key/key.ts'
import { flooredNextIdSql, readFloor } from '../../key/next-id-sql.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow, ServerSession } from '../../schema/server-session.ts'

/*
 * The clock of the new server may be behind that of the old one: keys that it made would be at or below keys that were
 * issued. Then its `next_id()` counts from a floor until its clock has come so far. What was issued is not what is stored: a
 * row may be deleted, and a key may be drawn and never used. So the floor is above all of
 *
 *   the old server's clock   behind its fence, where nobody draws a key any more
 *   its own floor            that it has from an earlier move, and as far as it has counted since
 *   its highest key          which may come from a time when its clock was ahead, or from an import
 */

/** The last millisecond, since the epoch of the keys, of which a server may have issued a key. Asked behind its fence. */
export async function readIssuedMs(session: ServerSession, shardId: number, epochMs: number): Promise<number> {
  const schema = shardSchema(shardId)
  const text = [
    'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint,',
    `  (select prosrc from pg_proc where oid = to_regprocedure('${schema}.next_id()')),`,
    `  (select last_value from ${schema}.table_id_seq),`,
    // Keys after 2048 are negative, and above all others.
    `  coalesce((select max(id) from ${schema}.entities where id < 0), (select max(id) from ${schema}.entities))`,
  ].join('\n')
  const [row = []] = await session.read({ text })
  return Math.max(Number(row[0]) - epochMs, flooredMs(row), highestMs(row, epochMs))
}

/** How far the floor of a `next_id()` has come. */
function flooredMs([, body, lastNumber]: ServerRow): number {
  const floor = readFloor(body ?? '')
  return floor === undefined ? 0 : floor.ms + Number((BigInt(lastNumber ?? 0) - floor.number) / 1024n)
}

function highestMs([, , , id]: ServerRow, epochMs: number): number {
  return id == null ? 0 : new Key(id, epochMs).created.getTime() - epochMs
}

/**
 * Raises the floor of the new server where its clock calls for it. Asked after its sequences were set.
 *
 * @param issuedMs what {@link readIssuedMs} gave at the old server
 */
export async function ensureKeyFloor(
  session: ServerSession,
  shardId: number,
  epochMs: number,
  issuedMs: number,
): Promise<boolean> {
  const [clock] = await session.read({ text: 'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint' })
  if (Number(clock?.[0]) - epochMs > issuedMs) return false
  const [sequence] = await session.read({ text: `select last_value from ${shardSchema(shardId)}.table_id_seq` })
  await session.execute([flooredNextIdSql(shardId, epochMs, { ms: issuedMs + 1, number: BigInt(sequence?.[0] ?? 0) })])
  return true
}
