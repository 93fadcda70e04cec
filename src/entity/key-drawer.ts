import type { ShardSession } from '../shard/shard-session.ts'
import { drawKeys, MAX_DRAW, PORTION, readDraw, sortIds } from './batch-keys.ts'
import { countCollision, pauseAfter } from './key-collision.ts'
import { selectTaken } from './load/kept-statements.ts'
import type { ServerSite } from './server-site.ts'

/** What keys are drawn for. */
export interface KeyDraw {
  readonly count: number
  /** Where collisions are counted, and where it is known which shards nobody else writes to. */
  readonly site: Pick<ServerSite, 'keyCollisions' | 'quietShards'>
  /** Leaves out the keys that are there already: after a collision, because a clock that stepped back may meet more. */
  readonly isWary?: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * Draws keys that differ from each other, ascending. Those that the server repeats are drawn again.
 *
 * @throws `HV_KEY_COLLISION` when it repeats keys many times in a row, because its clock stands
 */
export async function drawDistinctKeys(session: ShardSession, draw: KeyDraw): Promise<bigint[]> {
  const { serverId, shardId } = session
  const onCollision = (): void => void (draw.site.keyCollisions += 1)
  let ids: bigint[] = []
  let attempts = 0
  while (ids.length < draw.count) {
    const count = Math.min(draw.count - ids.length, MAX_DRAW)
    const before = ids.length
    ids = distinct([...ids, ...(await drawOnce(session, count, draw))])
    if (ids.length === before + count) continue
    attempts = ids.length > before ? 1 : attempts + 1
    countCollision({ serverId, shardId, attempts }, onCollision)
    await pauseAfter(attempts, draw.signal)
  }
  return ids
}

async function drawOnce(session: ShardSession, count: number, draw: KeyDraw): Promise<bigint[]> {
  const { shardId } = session
  const { quietShards } = draw.site
  const statement = drawKeys(shardId, count, quietShards.has(shardId) ? PORTION.alone : PORTION.beside)
  // The turn of a draw inside a transaction of the caller would last until its end.
  const rows = session.isInTransaction ? await session.runUndone(statement) : await session.run(statement)
  const { ids: drawn, isAlone } = readDraw(rows)
  const ids = drawn.slice(0, count)
  if (isAlone) quietShards.add(shardId)
  else quietShards.delete(shardId)
  return draw.isWary === true ? await withoutTaken(session, ids) : ids
}

async function withoutTaken(session: ShardSession, ids: readonly bigint[]): Promise<bigint[]> {
  const rows = await session.run(selectTaken(session.shardId, ids))
  const taken = new Set(rows.map(([id]) => id))
  return ids.filter((id) => !taken.has(String(id)))
}

function distinct(ids: readonly bigint[]): bigint[] {
  return sortIds(ids).filter((id, index, sorted) => id !== sorted[index - 1])
}
