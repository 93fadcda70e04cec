import type { Body } from './body.ts'
import { encodeHstore } from './encode.ts'

/**
 * Throws what `encodeHstore` throws when `value` is not a body that hstore can hold: a TypeError or a RangeError that
 * names the key. It costs as much as encoding, so on the way to a server encode at once.
 */
export function assertBody(value: unknown): asserts value is Body {
  encodeHstore(value as Body)
}
