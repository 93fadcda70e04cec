import { assertArray, assertParts, describeType } from '../../arguments/arguments.ts'
import type { ValueChange } from './body-codec.ts'
import { refusing } from './issues.ts'
import { IssueList } from './misfit.ts'

/** Reads the parts of an update of a kind. Throws a TypeError for an unknown part; does not check the values of fields. */
export function readChange(root: string, change: unknown): ValueChange {
  assertParts(`an update of ${root}`, change, ['set', 'unset'])
  const { set, unset } = change as { set?: unknown; unset?: unknown }
  if (set === undefined && unset === undefined) throw new TypeError(`an update of ${root} takes set or unset`)
  const names = unset === undefined ? [] : asNames(unset)
  const values = set === undefined ? {} : asObject('set', set)
  refusing(root, () => assertClear(values, names))
  return { set: values, unset: names }
}

function assertClear(set: Readonly<Record<string, unknown>>, unset: readonly string[]): void {
  const issues = new IssueList()
  for (const [name, value] of Object.entries(set)) {
    const reason = reasonAgainst(name, value, unset)
    if (reason !== undefined) issues.add(name, reason)
  }
  issues.assertNone()
}

function reasonAgainst(name: string, value: unknown, unset: readonly string[]): string | undefined {
  if (unset.includes(name)) return 'is both in set and in unset'
  // Neither "leave it as it is" nor "take it out" may be guessed.
  return value === undefined ? 'is set to undefined: omit it, or name it in unset' : undefined
}

function asNames(unset: unknown): string[] {
  assertArray('unset', unset)
  const names: unknown[] = Array.from(unset as unknown[])
  const wrong = names.find((name) => typeof name !== 'string')
  if (wrong !== undefined) throw new TypeError(`unset must be an array of names, got one with ${describeType(wrong)}`)
  return names as string[]
}

function asObject(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new TypeError(`${name} must be an object, got ${describeType(value)}`)
}
