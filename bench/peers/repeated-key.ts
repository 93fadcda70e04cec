/*
 * A server that makes more than 1024 rows of one shard in a millisecond repeats a key of `next_id()`. The peers have no
 * other keys, so they do what their users would have to: what was refused has not been written, and is tried again.
 */

/** Most attempts at one thing. */
export const MAX_ATTEMPTS = 100

/** Whether this is the server's verdict on a key that is there already; psql prints it. */
export function isRepeatedKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes('"entities_pk"')
}
