/**
 * Classes of SQLSTATE that say something about the server, the session or the statement, and nothing about what the
 * statement carries: every part of a batch would meet the same.
 */
const aboutAll: ReadonlySet<string> = new Set([
  '08', // connection_exception
  '25', // invalid_transaction_state, that of a read-only server for one
  '28', // invalid_authorization_specification
  '3D', // invalid_catalog_name
  '3F', // invalid_schema_name
  '42', // syntax_error_or_access_rule_violation
  '53', // insufficient_resources, a full disk for one
  '55', // object_not_in_prerequisite_state
  '57', // operator_intervention
  '58', // system_error
  'F0', // config_file_error
  'HV', // what the fence of a move raises
  'XX', // internal_error
])

const INSUFFICIENT_PRIVILEGE = '42501' // insufficient_privilege, what a policy for rows raises too

/**
 * Whether to split a refused batch and send its parts again. The default is yes: a trigger may raise any SQLSTATE for one
 * row, and a deadlock may be the work of the rows together.
 */
export function isDivisible(sqlstate: string): boolean {
  return sqlstate === INSUFFICIENT_PRIVILEGE || !aboutAll.has(sqlstate.slice(0, 2))
}

/** SQLSTATEs of a limit that the server has for the wait for a row, or for a statement. */
const ofOneRow: ReadonlySet<string> = new Set([
  '55P03', // lock_not_available
  '57014', // query_canceled, what statement_timeout raises
])

/** Tells whether a refusal may be due to one row of a batch that somebody has locked: the others are not to fail with it. */
export function isOfOneRow(sqlstate: string): boolean {
  return ofOneRow.has(sqlstate)
}
