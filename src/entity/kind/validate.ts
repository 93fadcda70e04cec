import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describeType } from '../../arguments/arguments.ts'
import { Misfit, pathOf, type Issue } from './misfit.ts'

/**
 * What a schema makes of a value. Throws a misfit for what it does not take.
 *
 * @throws TypeError when it validates asynchronously: a read would wait for whatever it asks, for every entity
 */
export function validate<T>(schema: StandardSchemaV1<unknown, T>, value: unknown): T {
  const result = schema['~standard'].validate(value)
  if ('then' in result) throw asynchronousError(result)
  if (result.issues === undefined) return result.value
  throw new Misfit(result.issues.map((issue) => asIssue(issue, value)))
}

/** Why a value is refused that could be stored but not read as what it was. */
export const UNSTABLE = 'its schema does not accept its own output, or returns something else for it'

/** Reads back what is about to be stored; what the schema does not take now is not stored. */
export function readBack<T>(read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (!(thrown instanceof Misfit)) throw thrown
    throw new Misfit(thrown.issues.map((issue) => ({ ...issue, reason: UNSTABLE })))
  }
}

/** Tells a Standard Schema. Some are functions. */
export function isSchema(value: unknown): value is StandardSchemaV1<unknown, unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const { '~standard': standard } = value as { '~standard'?: { version?: unknown; validate?: unknown } }
  return standard?.version === 1 && typeof standard.validate === 'function'
}

function asIssue(issue: StandardSchemaV1.Issue, root: unknown): Issue {
  const path = pathOf(issue)
  return {
    path,
    message: issue.message,
    reason: `its schema does not accept this, got ${describeType(valueAt(root, path))}`,
  }
}

/** What lies at a path; undefined if nothing does. */
function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value == null ? undefined : (value as Record<PropertyKey, unknown>)[part]),
    root,
  )
}

function asynchronousError(result: Promise<unknown>): TypeError {
  result.catch(() => undefined)
  return new TypeError(
    'a schema validates asynchronously, which a kind does not support: remove that rule from its schema, and check it before put',
  )
}
