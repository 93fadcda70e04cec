import { HypervaultError } from '../../errors.ts'
import type { Key } from '../../key/key.ts'
import { formatPath, Misfit, type FieldIssue, type Issue } from './misfit.ts'

/** Most issues that a message names. */
const MAX_NAMED = 3

/** Kept beside the errors and not in them, because what a schema says may quote a secret, and errors are logged. */
const issuesOfErrors = new WeakMap<object, readonly FieldIssue[]>()

/**
 * What was wrong with a value or an entity of a kind, by the error that said so; undefined for any other error. The
 * messages are those of your schema and may quote values: they are for a form, not for a log.
 *
 * @example const issues = issuesOf(error)?.map(({ path, message }) => `${path.join('.')}: ${message}`)
 */
export function issuesOf(error: unknown): readonly FieldIssue[] | undefined {
  return typeof error === 'object' && error !== null ? issuesOfErrors.get(error) : undefined
}

/** Runs work on a value that comes from the caller: a misfit becomes a TypeError that names the places. */
export function refusing<T>(root: string, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    if (!(thrown instanceof Misfit)) throw thrown
    throw remember(new TypeError(describeIssues(root, thrown.issues)), thrown.issues)
  }
}

/** An entity that is not what its kind says. */
export interface Unreadable {
  readonly key: Key
  readonly kind: number
  readonly name: string
}

/** Runs work on a stored body: a misfit becomes `HV_KIND_UNREADABLE`. */
export function reading<T>({ key, kind, name }: Unreadable, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    if (!(thrown instanceof Misfit)) throw thrown
    const { issues } = thrown
    const path = issues[0]?.path ?? []
    const details = {
      key: key.toString(),
      shardId: key.shardId,
      kind,
      name,
      path: formatPath(name, path),
      ...(path[0] !== undefined && { field: String(path[0]) }),
    }
    const message = `entity ${key.toString()} in shard ${key.shardId} cannot be read: ${describeIssues(name, issues)}`
    throw remember(new HypervaultError('HV_KIND_UNREADABLE', message, details), issues)
  }
}

function describeIssues(root: string, issues: readonly Issue[]): string {
  const named = issues.slice(0, MAX_NAMED).map(({ path, reason }) => `${formatPath(root, path)}: ${reason}`)
  const others = issues.length - named.length
  return [...named, ...(others > 0 ? [`and ${others} more`] : [])].join('; ')
}

function remember<E extends Error>(error: E, issues: readonly Issue[]): E {
  const shown = issues.map(({ path, message }) => Object.freeze({ path: Object.freeze([...path]), message }))
  issuesOfErrors.set(error, Object.freeze(shown))
  return error
}
