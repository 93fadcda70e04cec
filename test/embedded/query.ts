import pg from 'pg'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'

/** Runs one statement on a connection of its own; gives the first column of the rows. */
export async function query(connection: ServerConnection, sql: string): Promise<unknown[]> {
  const client = new pg.Client(connection)
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return rows.map(([value]) => value)
  } finally {
    await client.end()
  }
}
