import { isHypervaultError } from '../../errors.ts'

const QUERY_CANCELED = '57014' // query_canceled

/** True when the server has ended a statement because it took too long: a smaller stretch of keys may be quick enough. */
export function isTooSlow(error: unknown): boolean {
  return isHypervaultError(error, 'HV_STATEMENT_FAILED') && error.details.sqlstate === QUERY_CANCELED
}
