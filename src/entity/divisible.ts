/** Classes of SQLSTATE that depend on what a statement carries, so that a part of the batch may well pass. */
const byContent: ReadonlySet<string> = new Set([
  '21', // cardinality_violation
  '22', // data_exception
  '23', // integrity_constraint_violation
  '27', // triggered_data_change_violation
  '44', // with_check_option_violation
  '54', // program_limit_exceeded
  'P0', // plpgsql_error, what a trigger raises
])

/** Tells whether a refused batch is worth being taken apart. A full disk or a missing table refuses every part alike. */
export function isDivisible(sqlstate: string): boolean {
  return byContent.has(sqlstate.slice(0, 2))
}
