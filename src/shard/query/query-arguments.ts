import type { CustomTypesConfig, QueryResult } from 'pg'
import { assertArray, describeType } from '../../arguments.ts'

/**
 * A statement as `query()` of `pg` takes it. A name is left out: a connection serves many shards, in which a prepared
 * statement would mean other tables, and a pooler may not know it.
 */
export interface StatementConfig {
  readonly text: string
  readonly values: unknown[]
  readonly types: CustomTypesConfig | undefined
  readonly rowMode: unknown
  readonly binary: unknown
  /** Milliseconds after which `pg` gives up. */
  readonly query_timeout: unknown
}

/** How `query()` and `connect()` answer who does not want a promise. */
export type Callback<T> = (error: unknown, result?: T) => void

/** Reads `(text, values)`, `(config, values)` and `(config)`; a TypeError for anything else. */
export function readStatement(statement: unknown, values: unknown): StatementConfig {
  const given = typeof statement === 'string' ? { text: statement } : statement
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`query takes a text or { text, values }, got ${describeType(statement)}`)
  }
  const config = given as Record<string, unknown>
  const { text, rowMode, binary, query_timeout } = config
  if (typeof text !== 'string') throw new TypeError(`the text of a query must be a string, got ${describeType(text)}`)
  const parameters = values ?? config['values'] ?? []
  assertArray('values', parameters)
  const types = config['types'] as CustomTypesConfig | undefined
  return { text, values: [...(parameters as unknown[])], types, rowMode, binary, query_timeout }
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

/** What `query()` returns: the promise, or nothing when a callback is told instead. */
export function answer<T>(result: Promise<T>, callback: Callback<T> | undefined): Promise<T> | undefined {
  if (callback === undefined) return result
  result.then(
    (value) => process.nextTick(callback, undefined, value),
    (error: unknown) => process.nextTick(callback, error),
  )
  return undefined
}
