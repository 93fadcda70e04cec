import { describeType } from '../../arguments/arguments.ts'
import { assertCallOptions } from '../../arguments/call-options.ts'
import type { Body } from '../../hstore/body.ts'
import type { LoadAccount } from './ledger.ts'
import type { LoadSource } from './load-options.ts'
import { countRows } from './row-ranges.ts'

/** Which rows to give again after a load that failed. */
export interface RemainingOptions {
  /** What to do with rows of which nobody knows: `again` may store them twice, `skip` may lose them. */
  unknown?: 'again' | 'skip'
}

/**
 * The rows of a source that a failed load did not store, in the same order: what to give to the next load. The source
 * must give the same rows as the first time. The places that the next load counts are those in what is left.
 *
 * @param account the details of `HV_LOAD_FAILED`
 * @throws RangeError when there are unknown rows and it is not said what to do with them
 * @example
 * await db.load(1, remainingRows(readRows(), error.details), { shardOf }).finish()
 */
export function remainingRows<B extends Body>(
  source: LoadSource<B>,
  account: Pick<LoadAccount, 'stored' | 'unknown'>,
  options: RemainingOptions = {},
): AsyncGenerator<B, void, undefined> {
  assertCallOptions('remainingRows', options)
  const { stored, unknown } = account
  const isSkipped = shallSkip(countRows(unknown), options.unknown)
  return skipRows(source, isSkipped ? [...stored, ...unknown].sort((a, b) => a.first - b.first) : stored)
}

function shallSkip(unknown: number, choice: unknown): boolean {
  if (choice === undefined && unknown > 0) {
    throw new RangeError(
      `it is unknown whether ${unknown} rows were stored: pass { unknown: 'again' } or { unknown: 'skip' }`,
    )
  }
  if (choice === undefined || choice === 'again' || choice === 'skip') return choice === 'skip'
  throw new TypeError(`unknown must be 'again' or 'skip', got ${describeType(choice)}`)
}

async function* skipRows<B extends Body>(
  source: LoadSource<B>,
  skipped: LoadAccount['stored'],
): AsyncGenerator<B, void, undefined> {
  let row = 0
  let next = 0
  for await (const body of source) {
    while ((skipped[next]?.end ?? Infinity) <= row) next += 1
    if (row < (skipped[next]?.first ?? Infinity)) yield body
    row += 1
  }
}
