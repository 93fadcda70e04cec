import type { StandardSchemaV1 } from '@standard-schema/spec'

/** One thing about a value that does not fit its kind. */
export interface FieldIssue {
  /** Where it is, from the outside in: `['tags', 2]`; empty for the whole value. */
  readonly path: readonly PropertyKey[]
  /** What is wrong with it, as the field or the schema says it. That of a schema may quote the value. */
  readonly message: string
}

/** An issue, and what may be said of it where others read along. */
export interface Issue extends FieldIssue {
  /** Names types, never a value. */
  readonly reason: string
}

/** Thrown inside this folder for a value or a text that does not fit; never leaves it. */
export class Misfit extends Error {
  readonly issues: readonly Issue[]

  constructor(issues: readonly Issue[]) {
    super('a value does not fit')
    this.issues = issues
  }
}

/** The misfit of one value at a path. */
export function misfit(reason: string, path: readonly PropertyKey[] = []): Misfit {
  return new Misfit([{ path, reason, message: reason }])
}

/** The issues of an error that was thrown for the value at a place. Rethrows any error that is not a misfit. */
export function issuesAt(place: PropertyKey, thrown: unknown): Issue[] {
  if (!(thrown instanceof Misfit)) throw thrown
  return thrown.issues.map((issue) => ({ ...issue, path: [place, ...issue.path] }))
}

/** The issues of a value of several parts: all of them are looked at before it is refused. */
export class IssueList {
  readonly #issues: Issue[] = []

  add(place: PropertyKey, reason: string): void {
    this.#issues.push({ path: [place], reason, message: reason })
  }

  /** Does work on the part at a place, and keeps its issues. */
  collect(place: PropertyKey, work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.#issues.push(...issuesAt(place, thrown))
    }
  }

  /** Throws the misfit of the issues, if there are any. */
  assertNone(): void {
    if (this.#issues.length > 0) throw new Misfit(this.#issues)
  }
}

/** Writes a path as one would write it in a program: `user.tags[2]["first name"]`. */
export function formatPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => text + formatPart(part), root)
}

/** A name in a message is cut here; longer ones are never names that somebody would look for. */
const MAX_NAME_LENGTH = 80

function formatPart(part: PropertyKey): string {
  if (typeof part === 'number') return `[${part}]`
  const name = String(part)
  if (/^[\p{L}_$][\p{L}\p{N}_$]{0,79}$/u.test(name)) return `.${name}`
  return `[${JSON.stringify(name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name)}]`
}

/** The path of an issue of a Standard Schema. */
export function pathOf({ path = [] }: StandardSchemaV1.Issue): PropertyKey[] {
  return path.map((part) => (typeof part === 'object' ? part.key : part))
}
