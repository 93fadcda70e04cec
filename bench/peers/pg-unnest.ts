import type { Pool } from 'pg'
import { encodeHstore, Key, type Body } from '../../src/index.ts'
import { shardSchema } from '../../src/key/shard-id.ts'
import { CITY } from '../ground/ground.ts'
import { chunksOf } from '../../demo/load.ts'
import { isRepeatedKey, MAX_ATTEMPTS } from './repeated-key.ts'

/** Name of `pg.Pool` with many rows in a statement as a contender: what one writes to store many rows and get their keys. */
export const PG_UNNEST = 'pg.Pool, 1,000 rows each'

const ROWS_PER_STATEMENT = 1_000

/** Stores bodies over all connections of a pool and reads their keys; gives the milliseconds that it took. */
export async function putByUnnest(pool: Pool, shardId: number, bodies: readonly Body[]): Promise<number> {
  const startedAt = performance.now()
  const text = insertMany(shardId)
  const results = await Promise.all(
    [...chunksOf(bodies, ROWS_PER_STATEMENT)].map((chunk) => putChunk(pool, text, chunk)),
  )
  const keys = results.flat()
  if (keys.length !== bodies.length) throw new Error(`${keys.length} keys for ${bodies.length} rows`)
  return performance.now() - startedAt
}

async function putChunk(pool: Pool, text: string, chunk: readonly Body[]): Promise<Key[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { rows } = await pool.query<{ id: string }>({ name: 'unnest', text, values: [chunk.map(encodeHstore)] })
      return rows.map(({ id }) => new Key(id))
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isRepeatedKey(error)) throw error
    }
  }
}

function insertMany(shardId: number): string {
  return [
    `insert into ${shardSchema(shardId)}.entities (type, body)`,
    `select ${CITY}, body::hstore from unnest($1::text[]) as given (body) returning id`,
  ].join('\n')
}
