import { nameValue } from './name.ts'

/**
 * Most characters of a body as hstore text. To print an hstore, a server reserves twice its bytes in one piece of less
 * than 1 GiB, and a character takes up to 3 bytes: at 178,956,970 characters some bodies could be stored and never be
 * read again. Three times as much would also be more than the longest string of Node.js.
 */
export const maxTextLength = 170_000_000

/** Most pairs of a body: reading an hstore, a server keeps 40 bytes for each, doubled as they come, in the same 1 GiB. */
export const maxPairs = 2 ** 24

/** Throws a RangeError when a body's text has grown too long at this key. */
export function assertTextLength(length: number, key: string): void {
  if (length <= maxTextLength) return
  throw new RangeError(
    `body must have at most ${maxTextLength} characters as hstore text, got ${length} at ${nameValue(key)}`,
  )
}

/** Throws a RangeError when a body has more pairs than a server can read. */
export function assertPairCount(count: number): void {
  if (count > maxPairs) throw new RangeError(`body must have at most ${maxPairs} keys, got ${count}`)
}
