import { sqlstateOf } from '../../pool/failure.ts'

/** SQLSTATEs by which a server refuses a statement that was written for a table of the other layout. */
const UNDEFINED_COLUMN = '42703' // undefined_column
const AMBIGUOUS_COLUMN = '42702' // ambiguous_column

/**
 * Which shards of a server have the column `updated`. All but those of the original's second script; that is found out
 * by the refusal of a statement, before which nothing was executed, and unlearned in the same way.
 */
export class UpdatedColumns {
  readonly #seen = new Map<number, boolean>()

  /** Whether to write statements with it: yes, unless it is known to be absent. */
  has(shardId: number): boolean {
    return this.#seen.get(shardId) ?? true
  }

  /** Whether the server has shown it. */
  isCertain(shardId: number): boolean {
    return this.#seen.get(shardId) === true
  }

  learn(shardId: number, isThere: boolean): void {
    this.#seen.set(shardId, isThere)
  }

  /** Learns from the refusal of a statement; true if one for the other layout is worth trying. */
  isRefuted(shardId: number, assumed: boolean, error: unknown): boolean {
    const expected = assumed ? UNDEFINED_COLUMN : AMBIGUOUS_COLUMN
    if (sqlstateOf(error) !== expected || !isOfStatement(error)) return false
    this.learn(shardId, !assumed)
    return true
  }
}

/** True for an error in the text that was sent, false for one inside a trigger or a function. */
function isOfStatement(error: unknown): boolean {
  const { position, where } = error as { position?: unknown; where?: unknown }
  return position !== undefined && where === undefined
}
