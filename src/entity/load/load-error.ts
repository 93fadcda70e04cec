import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { isReadOnlyRefusal, READ_ONLY_HINT } from '../../pool/failure.ts'
import type { Batch } from './batch.ts'
import type { LoadAccount } from './ledger.ts'
import type { RefusedRow } from './load-options.ts'
import { countRows } from './row-ranges.ts'

/** Why a load ended before its source did. */
export interface LoadFailure {
  readonly cause: unknown
  /** The row that it is about, if it is about one. */
  readonly row?: number | undefined
  /** Whether the cause is of our own making, so that its message shows no value. */
  readonly isOurs: boolean
}

/** The error of a load: what is stored and what is not. */
export function loadError(failure: LoadFailure, account: LoadAccount): HypervaultError<'HV_LOAD_FAILED'> {
  const { stored, notStored, unknown } = account
  const where = failure.row === undefined ? '' : ` at row ${failure.row}`
  const counts = `${countRows(stored)} rows stored, ${countRows(notStored)} not stored, ${countRows(unknown)} unknown`
  const message = `the load ended${where} after ${account.rowsRead} rows were read: ${counts}${reasonOf(failure)}`
  const details = { ...account, ...(failure.row !== undefined && { row: failure.row }) }
  return new HypervaultError('HV_LOAD_FAILED', message, details, {
    cause: failure.cause,
    ...(isReadOnly(failure.cause) && { hint: READ_ONLY_HINT }),
  })
}

function isReadOnly(cause: unknown): boolean {
  return isHypervaultError(cause, 'HV_STATEMENT_FAILED') && isReadOnlyRefusal(cause.details.sqlstate)
}

/**
 * The row that a refused batch failed at: the server says in which line, and a row is a line. Undefined when it is said
 * otherwise, by a trigger for instance.
 */
export function findRefusedRow(error: unknown, rows: readonly number[]): number | undefined {
  const cause: unknown = isHypervaultError(error) ? error.cause : undefined
  const { where } = Object(cause) as { where?: unknown }
  const line = typeof where === 'string' ? /^COPY entities\P{Nd}*(\d+)/mu.exec(where)?.[1] : undefined
  return line === undefined ? undefined : rows[Number(line) - 1]
}

/** Classes of SQLSTATE that are about what is in a row, and not about the server, the table or the connection. */
const aboutRows: ReadonlySet<string> = new Set([
  '22', // data_exception
  '23', // integrity_constraint_violation
  '44', // with_check_option_violation
  '54', // program_limit_exceeded, such as a value that is too long for an index
  'P0', // raise_exception and others of PL/pgSQL: a trigger
])

/** The rows of a batch that were refused for what is in them, and what is to be stored in its place. */
export function findRefusals(
  error: unknown,
  batch: Batch,
): { readonly refused: readonly RefusedRow[]; readonly rest: Batch[] } | undefined {
  if (isHypervaultError(error, 'HV_KEY_TAKEN')) {
    const { left, rest } = batch.withoutKeys(new Set(error.details.keys.map(BigInt)))
    const { shardId } = error.details
    return { refused: left.map(([row, body]) => ({ row, body, shardId, error })), rest }
  }
  if (!isHypervaultError(error, 'HV_STATEMENT_FAILED')) return undefined
  const row = findRefusedRow(error, batch.rows)
  if (row === undefined || !aboutRows.has(error.details.sqlstate.slice(0, 2))) return undefined
  const { body, rest } = batch.without(row)
  return { refused: [{ row, body, shardId: error.details.shardId as number, error }], rest }
}

function reasonOf({ cause, isOurs }: LoadFailure): string {
  return isOurs && cause instanceof Error ? `; ${cause.message}` : ''
}
