import { describeFailures, type PlacedFailure } from '../../topology/like-failures.ts'
import { oneLine } from './failure.ts'
import type { Output } from './output.ts'

/** Most lines that are printed of failures; the JSON document has them all. */
const MAX_LINES = 20

/** Failures as lines: those that differ only in where they happened are one, with a count and the places. */
export function failureLines(failures: readonly PlacedFailure[]): string[] {
  const clean = failures.map((failure) => ({ ...failure, message: oneLine(failure.message) }))
  const lines = describeFailures(clean, MAX_LINES)
  return lines.length > MAX_LINES ? [...lines.slice(0, -1), `${lines.at(-1)}: add --json to see them`] : lines
}

/** Tells the person at the terminal what failed, a line for each group. */
export function tellFailures(failures: readonly PlacedFailure[], output: Output, prefix = ''): void {
  for (const line of failureLines(failures)) output.problem(`${prefix}${line}`)
}
