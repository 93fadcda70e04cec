import type { Client } from 'pg'
import Cursor from 'pg-cursor'

/** Name of `pg-cursor` as a contender. */
export const PG_CURSOR = 'pg-cursor, one table'

/** Rows of one read: as many as a page of a scan has. */
const READ_ROWS = 1_000

/** Reads a table in the order of its keys through one cursor, and gives how many rows there were. Nothing is decoded. */
export async function readByCursor(client: Client, table: string): Promise<number> {
  const cursor = client.query(new Cursor(`select id, type, body, updated from ${table} order by id`))
  let count = 0
  for (let rows = await cursor.read(READ_ROWS); rows.length > 0; rows = await cursor.read(READ_ROWS)) {
    count += rows.length
  }
  await cursor.close()
  return count
}
