import { decodeHstore } from '../../hstore/decode.ts'
import type { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { Entity } from './entity.ts'
import { parseTimestamp } from './timestamp.ts'

/** The entity in a row of (id, type, body, updated). */
export function decodeEntity(key: Key, [, kind, body, updated]: TextRow): Entity {
  if (kind == null || body == null) throw new Error('bug: a stored entity has a null where none can be')
  return {
    key,
    kind: Number(kind),
    body: decodeHstore(body),
    updated: updated == null ? null : parseTimestamp(updated),
  }
}
