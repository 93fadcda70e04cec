import { HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import type { MoveRecord } from './move-record.ts'
import { MARKER_TABLE } from './object-names.ts'

/**
 * Throws `HV_MOVE_CHANGED` when a shard has a table that its move does not carry. Asked behind the fence: a table that was
 * made after the definitions were compared has no fence, and its rows would stay behind.
 */
export async function assertSameTables(
  session: ServerSession,
  { moveId, shardId }: Pick<MoveRecord, 'moveId' | 'shardId'>,
  carried: readonly string[],
): Promise<void> {
  const text = [
    'select relname from pg_class',
    `where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'f') and relname <> '${MARKER_TABLE}'`,
  ].join('\n')
  const rows = await session.read({ text, values: [shardSchema(shardId)] })
  const late = rows.map(([name]) => name ?? '').filter((name) => !carried.includes(name))
  if (late.length === 0) return
  const different = late.map((name) => `only at ${session.serverId}: table ${name}`)
  const message = `shard ${shardId} was changed during move ${moveId}: ${different.join('; ')}`
  throw new HypervaultError('HV_MOVE_CHANGED', message, { moveId, shardId, different })
}
