import { sqlstateOf } from '../pool/failure.ts'

/*
 * While a shard changes its server its sequences are closed where it leaves, and where it is not there yet: a number that
 * was drawn there would be drawn at its new home again. A closed sequence has a range of two values, far below any that it
 * gives, and has used them up. So PostgreSQL itself refuses `nextval` and `setval`, and by the range it can be told from a
 * sequence that is used up in earnest, whatever language the server speaks.
 */

/** The highest value of a closed sequence, by its type: two above the least that the type holds. */
export const closedValues = {
  smallint: '-32766',
  integer: '-2147483646',
  bigint: '-9223372036854775806',
} as const

const values: ReadonlySet<string | undefined> = new Set(Object.values(closedValues))

const refusals: ReadonlySet<string | undefined> = new Set([
  '2200H', // sequence_generator_limit_exceeded
  '22003', // numeric_value_out_of_range
])

/** The value, or the range, at the end of the message; before it there is a name, in which anything may stand. */
const LAST_RANGE = /\((?:-?\d+\.\.)?(-?\d+)\)\D*$/

/** True for the refusal of a sequence that a move has closed. Its statement has drawn no number there. */
export function isClosedSequence(error: unknown): boolean {
  if (!refusals.has(sqlstateOf(error))) return false
  return values.has(LAST_RANGE.exec((error as Error).message)?.[1])
}
