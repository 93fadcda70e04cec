import { assertInteger } from '../../arguments/arguments.ts'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'

/** One stored entity. */
export interface Entity {
  readonly key: Key
  /** Smallint that tells entity types apart. */
  readonly kind: number
  readonly body: Body
  /** Time of the last change, UTC; null if it was never changed, or if the shard has no such column. */
  readonly updated: Date | null
}

const MIN_KIND = -32_768
const MAX_KIND = 32_767

/** Throws a TypeError or RangeError unless the value fits into a smallint. */
export function assertKind(kind: unknown, name = 'kind'): asserts kind is number {
  assertInteger(name, kind, MIN_KIND, MAX_KIND)
}
