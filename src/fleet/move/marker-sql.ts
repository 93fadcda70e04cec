import { shardSchema } from '../../key/shard-id.ts'
import type { ServerStatement } from '../../server/server-session.ts'
import { MARKER_TABLE } from './object-names.ts'

/*
 * A marker is a row that is written behind a fence. Rows arrive in the order of their commits, so when the other side
 * shows the marker, it has everything that was written before the fence.
 */

/** Makes the table of markers. */
export function createMarkerTableSql(shardId: number): string {
  return `create table if not exists ${shardSchema(shardId)}.${MARKER_TABLE} (marker text primary key)`
}

/** Drops the table of markers. */
export function dropMarkerTableSql(shardId: number): string {
  return `drop table if exists ${shardSchema(shardId)}.${MARKER_TABLE}`
}

/** Writes a marker. */
export function writeMarker(shardId: number, marker: string): ServerStatement {
  return {
    text: `insert into ${shardSchema(shardId)}.${MARKER_TABLE} values ($1) on conflict do nothing`,
    values: [marker],
  }
}

/** One row if the marker is there. */
export function findMarker(shardId: number, marker: string): ServerStatement {
  return { text: `select from ${shardSchema(shardId)}.${MARKER_TABLE} where marker = $1`, values: [marker] }
}
