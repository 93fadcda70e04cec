import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Client } from 'pg'
import { from } from 'pg-copy-streams'
import type { Ground } from '../ground/ground.ts'

/** Name of COPY by `pg-copy-streams` as a contender: what \copy does, where psql is not installed. */
export const PG_COPY = 'pg-copy-streams, a file'

/** Copies a file into a table, and gives the milliseconds that it took on a connection that was open. */
export async function copyByStream(ground: Ground, { table, file }: { table: string; file: string }): Promise<number> {
  const client = new Client(ground.connection)
  await client.connect()
  try {
    const startedAt = performance.now()
    await pipeline(createReadStream(file), client.query(from(`copy ${table} (type, body) from stdin`)))
    return performance.now() - startedAt
  } finally {
    await client.end()
  }
}
