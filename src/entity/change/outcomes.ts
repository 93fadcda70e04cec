import type { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import { decodeEntity } from '../rows/decode-entity.ts'
import { parseTimestamp } from '../rows/timestamp.ts'
import type { ChangeOutcome } from './change.ts'
import type { DeleteOutcome } from './condition.ts'

/** The outcome of a change in a row of (id, type, body, updated, is done, updated by this), or in the absence of one. */
export function changeOutcome(key: Key, row: TextRow | undefined): ChangeOutcome {
  if (row === undefined) return { status: 'missing' }
  return isDone(row) ? changed(row[5]) : { status: 'conflict', current: decodeEntity(key, row) }
}

/** The outcome of a delete in a row like that of a change. */
export function deleteOutcome(key: Key, row: TextRow | undefined): DeleteOutcome {
  if (row === undefined) return { status: 'missing' }
  return isDone(row) ? { status: 'deleted' } : { status: 'conflict', current: decodeEntity(key, row) }
}

/** Rows by the id that they begin with. */
export function byId(rows: readonly TextRow[]): Map<string | null | undefined, TextRow> {
  return new Map(rows.map((row) => [row[0], row]))
}

function changed(updated: string | null | undefined): ChangeOutcome {
  return { status: 'changed', updated: updated == null ? null : parseTimestamp(updated) }
}

function isDone(row: TextRow): boolean {
  return row[4] === 't'
}
