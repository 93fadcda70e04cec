import { shardSchema } from '../../../key/shard-id.ts'
import type { ServerRow, ServerSession } from '../../../server/server-session.ts'
import { selectMoving } from '../../moving.ts'
import type { AppliedMigration, ShardState } from './shard-state.ts'
import { copyAppliedSql, selectPlaces } from './state-sql.ts'

interface Place {
  readonly isThere: boolean
  readonly hasTable: boolean
}

/** Shards per round trip. */
const SHARDS_PER_TEXT = 256

/** Reads the state of these shards, in their order: two round trips, and one more per 256 shards. */
export async function readStates(session: ServerSession, shardIds: readonly number[]): Promise<ShardState[]> {
  const places = await readPlaces(session, shardIds)
  const moving = new Set((await session.read(selectMoving)).map(([schema]) => schema))
  const applied = await readApplied(
    session,
    shardIds.filter((shardId) => places.get(shardSchema(shardId))?.hasTable === true),
  )
  return shardIds.map((shardId) => {
    const schema = shardSchema(shardId)
    const place = places.get(schema)
    const isMoving = moving.has(schema)
    return Object.freeze({ shardId, isThere: place?.isThere === true, applied: applied.get(shardId), isMoving })
  })
}

async function readPlaces(session: ServerSession, shardIds: readonly number[]): Promise<Map<string, Place>> {
  const rows = await session.read(selectPlaces(shardIds))
  return new Map(
    rows.map(([schema, hasEntities, hasTable]) => [
      String(schema),
      { isThere: hasEntities === 't', hasTable: hasTable === 't' },
    ]),
  )
}

async function readApplied(
  session: ServerSession,
  shardIds: readonly number[],
): Promise<Map<number, readonly AppliedMigration[]>> {
  const applied = new Map<number, readonly AppliedMigration[]>()
  for (let first = 0; first < shardIds.length; first += SHARDS_PER_TEXT) {
    const part = shardIds.slice(first, first + SHARDS_PER_TEXT)
    const tables = await session.copyOut(part.map(copyAppliedSql))
    for (const [index, shardId] of part.entries()) applied.set(shardId, (tables[index] ?? []).map(toApplied).sort(byId))
  }
  return applied
}

function toApplied([id, name, checksum, tookMs]: ServerRow): AppliedMigration {
  return Object.freeze({ id: String(id), name: String(name), checksum: String(checksum), isDone: tookMs !== null })
}

function byId(a: AppliedMigration, b: AppliedMigration): number {
  return a.id < b.id ? -1 : 1
}
