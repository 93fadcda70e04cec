import type { MoveRecord } from './move-record.ts'

/** Names of what a move makes, one for each purpose; far below the 63 bytes of a name in PostgreSQL. */
export interface MoveObjects {
  /** Publication and slot at the source, subscription at the target. */
  readonly forward: string
  /** Publication and slot at the target, subscription at the source. */
  readonly reverse: string
}

/** The names of one move. */
export function objectsOf({ moveId, tag }: Pick<MoveRecord, 'moveId' | 'tag'>): MoveObjects {
  return Object.freeze({ forward: `hv_move_${moveId}_${tag}`, reverse: `hv_back_${moveId}_${tag}` })
}

/** Table in the schema of the shard that markers are written to. */
export const MARKER_TABLE = 'hv_marker'
