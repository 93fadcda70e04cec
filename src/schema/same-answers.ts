/**
 * Settings under which a server prints and reads the same text for the same thing, whatever its role and database have set:
 * values, names, and expressions. Names and operators are those of PostgreSQL itself, and every other name that it prints is
 * qualified. Each is the end of `set …` or `set local …`.
 */
export const sameAnswersSql: readonly string[] = [
  // The temporary schema last: unnamed it comes first.
  'search_path = pg_catalog, pg_temp',
  'quote_all_identifiers = off',
  'standard_conforming_strings = on',
  'array_nulls = on',
  "datestyle = 'ISO, YMD'",
  "intervalstyle = 'postgres'",
  "timezone = 'UTC'",
  'extra_float_digits = 3',
  "bytea_output = 'hex'",
  "xmloption = 'content'",
]
