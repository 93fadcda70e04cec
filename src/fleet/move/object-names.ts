import type { MoveRecord } from './move-record.ts'

/** Names of what a move makes, one for each purpose; far below the 63 bytes of a name in PostgreSQL. */
export interface MoveObjects {
  /** Publication and slot at the source, subscription at the target. */
  readonly forward: string
  /** Publication and slot at the target, subscription at the source. */
  readonly reverse: string
  /** Sessions at both sides that carry the rows of a throttled copy. */
  readonly copy: string
}

/** The names of one move. */
export function objectsOf({ moveId, tag }: Pick<MoveRecord, 'moveId' | 'tag'>): MoveObjects {
  const nameOf = (purpose: string): string => `hv_${purpose}_${moveId}_${tag}`
  return Object.freeze({ forward: nameOf('move'), reverse: nameOf('back'), copy: nameOf('copy') })
}

/** Table in the schema of the shard that markers are written to. */
export const MARKER_TABLE = 'hv_marker'
