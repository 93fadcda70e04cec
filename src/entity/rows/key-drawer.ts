import { MAX_ADDED_ID, TIME_SHIFT } from '../../key/layout.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardSession, ShardStatement } from '../../shard/shard-session.ts'
import { selectTaken } from '../load/kept-statements.ts'
import type { ServerSite } from '../site/server-site.ts'
import { drawKeys, FEW_KEYS, MAX_DRAW, readDraw, sortIds } from './batch-keys.ts'
import { countCollision, pauseAfter } from './key-collision.ts'
import { drawQuietKeys, MAX_QUIET_DRAW, readQuietDraw } from './quiet-keys.ts'

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
    const drawn = await drawOnce(session, draw.count - ids.length, draw)
    const before = ids.length
    ids = distinct([...ids, ...drawn.ids])
    if (ids.length === before + drawn.count) continue
    attempts = ids.length > before ? 1 : attempts + 1
    countCollision({ serverId, shardId, attempts }, onCollision)
    await pauseAfter(attempts, draw.signal)
  }
  return ids
}

/** Keys, and how many they would be if none was taken or repeated. */
interface Drawn {
  readonly ids: readonly bigint[]
  readonly count: number
}

async function drawOnce(session: ShardSession, wanted: number, draw: KeyDraw): Promise<Drawn> {
  const { quietShards } = draw.site
  // A clock that stepped back is no clock to count on.
  if (draw.isWary === true) quietShards.delete(session.shardId)
  const isQuiet = wanted > FEW_KEYS && quietShards.has(session.shardId)
  const drawn = isQuiet ? await drawQuietly(session, wanted, draw) : await drawBeside(session, wanted, draw)
  if (draw.isWary !== true) return drawn
  return { ...drawn, ids: await withoutTaken(session, drawn.ids) }
}

async function drawQuietly(session: ShardSession, wanted: number, { site }: KeyDraw): Promise<Drawn> {
  const count = Math.min(wanted, MAX_QUIET_DRAW)
  const { ids, isWhole } = readQuietDraw(await runDraw(session, drawQuietKeys(session.shardId, count)), count)
  if (!isWhole) site.quietShards.delete(session.shardId)
  return { ids, count: ids.length }
}

async function drawBeside(session: ShardSession, wanted: number, { site }: KeyDraw): Promise<Drawn> {
  const { shardId } = session
  const count = Math.min(wanted, MAX_DRAW)
  const { ids: drawn, isAlone } = readDraw(await runDraw(session, drawKeys(shardId, count)))
  if (isAlone && hasClock(drawn)) site.quietShards.add(shardId)
  else site.quietShards.delete(shardId)
  return { ids: drawn.slice(0, count), count }
}

/** The turn of a draw inside a transaction of the caller would last until its end. */
function runDraw(session: ShardSession, statement: ShardStatement): Promise<readonly TextRow[]> {
  return session.isInTransaction ? session.runUndone(statement) : session.run(statement)
}

/** Whether time goes by the clock in these keys, and not by their number, as it does above a floor. */
function hasClock(ids: readonly bigint[]): boolean {
  const [first = 0n, last = 0n] = [ids[0], ids.at(-1)]
  return Number((last >> TIME_SHIFT) - (first >> TIME_SHIFT)) > ids.length / (MAX_ADDED_ID + 1) + 1
}

async function withoutTaken(session: ShardSession, ids: readonly bigint[]): Promise<bigint[]> {
  const rows = await session.run(selectTaken(session.shardId, ids))
  const taken = new Set(rows.map(([id]) => id))
  return ids.filter((id) => !taken.has(String(id)))
}

function distinct(ids: readonly bigint[]): bigint[] {
  return sortIds(ids).filter((id, index, sorted) => id !== sorted[index - 1])
}
