import type { CustomTypesConfig, QueryResult } from 'pg'
import { assertArray, describeType } from '../../arguments/arguments.ts'

/**
 * A statement as `query()` of `pg` takes it. Its name is not sent: a connection serves many shards, in which a prepared
 * statement would mean other tables, and a pooler may not know it.
 */
export interface StatementConfig {
  readonly text: string
  readonly values: unknown[]
  readonly types: CustomTypesConfig | undefined
  readonly rowMode: unknown
  readonly binary: unknown
  /** `extended` for the protocol that takes one statement only. */
  readonly queryMode: unknown
  readonly portal: unknown
  /** Most rows that are asked for at once. */
  readonly rows: unknown
  /** Milliseconds after which it is given up. */
  readonly query_timeout: unknown
  readonly name: string | undefined
}

/** How `query()` and `connect()` answer who does not want a promise. */
export type Callback<T> = (error: unknown, result?: T) => void

/**
 * Reads `(text, values)`, `(config, values)` and `(config)`; a TypeError for anything else.
 *
 * @param findText the text that was run under a name before, for a config that has only that
 */
export function readStatement(
  statement: unknown,
  values: unknown,
  findText: (name: unknown) => string | undefined = () => undefined,
): StatementConfig {
  const given = typeof statement === 'string' ? { text: statement } : statement
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`query takes a string or { text, values }, got ${describeType(statement)}`)
  }
  const config = given as Record<string, unknown>
  const { rowMode, binary, queryMode, portal, rows, query_timeout } = config
  const name = typeof config['name'] === 'string' ? config['name'] : undefined
  const text = config['text'] ?? findText(name)
  if (typeof text !== 'string') throw new TypeError(`the text of a query must be a string, got ${describeType(text)}`)
  const parameters = values ?? config['values'] ?? []
  assertArray('values', parameters)
  const types = config['types'] as CustomTypesConfig | undefined
  const modes = { rowMode, binary, queryMode, portal, rows, query_timeout }
  return { text, values: [...(parameters as unknown[])], types, name, ...modes }
}

/** Takes the callback off the end of the arguments of `query()`, if there is one. */
export function splitCallback(args: readonly unknown[]): {
  args: readonly unknown[]
  callback?: Callback<QueryResult>
} {
  const last = args.at(-1)
  if (typeof last !== 'function') return { args }
  return { args: args.slice(0, -1), callback: last as Callback<QueryResult> }
}

/**
 * What `query()` returns: the promise, or nothing when a callback is told instead.
 *
 * @param noError what the callback gets in the place of an error: a client of pg says null, a pool undefined
 */
export function answer<T>(
  result: Promise<T>,
  callback: Callback<T> | undefined,
  noError: null | undefined,
): Promise<T> | undefined {
  if (callback === undefined) return result
  result.then(
    (value) => process.nextTick(callback, noError, value),
    (error: unknown) => process.nextTick(callback, error),
  )
  return undefined
}
