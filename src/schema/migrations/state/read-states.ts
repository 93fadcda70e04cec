import { shardSchema } from '../../../key/shard-id.ts'
import { selectMoving } from '../../moving.ts'
import type { ServerSession } from '../../server-session.ts'
import type { AppliedMigration, ShardState } from './shard-state.ts'
import { selectApplied, selectPlaces } from './state-sql.ts'

type AppliedRow = readonly [id: string, name: string, checksum: string, isDone: boolean]

interface Place {
  readonly isThere: boolean
  readonly hasTable: boolean
}

/** Shards per statement: more make the server plan longer than it takes to read them. */
const SHARDS_PER_STATEMENT = 64

/** Reads the state of these shards, in their order: two statements, and one more per 64 shards. */
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
  for (let first = 0; first < shardIds.length; first += SHARDS_PER_STATEMENT) {
    const rows = await session.read(selectApplied(shardIds.slice(first, first + SHARDS_PER_STATEMENT)))
    for (const [shardId, json] of rows)
      applied.set(Number(shardId), (JSON.parse(json ?? '[]') as AppliedRow[]).map(toApplied))
  }
  return applied
}

function toApplied([id, name, checksum, isDone]: AppliedRow): AppliedMigration {
  return Object.freeze({ id, name, checksum, isDone })
}
