import { describeType } from '../../arguments/arguments.ts'
import { setOwn } from '../../hstore/set-own.ts'
import { issuesAt, Misfit, misfit } from './misfit.ts'

/** What JSON can hold. */
export type JsonTree = string | number | boolean | null | JsonTree[] | { [name: string]: JsonTree }

/** Deeper values would end in an overflow of the stack, as would one that refers to itself. */
const MAX_DEPTH = 200

/** What `JSON.stringify` has no word for, or a wrong one. */
export type WriteLeaf = (value: unknown) => JsonTree

/**
 * A copy of a value that is safe to stringify: what JSON would drop or change is a misfit with its path. Properties that
 * are undefined are left out. `writeLeaf` decides on everything but arrays and plain objects.
 */
export function toJsonTree(value: unknown, writeLeaf: WriteLeaf, depth = 0): JsonTree {
  if (depth > MAX_DEPTH) throw misfit(`is nested deeper than ${MAX_DEPTH} levels, or refers to itself`)
  if (Array.isArray(value)) {
    return Array.from(value, (each: unknown, at) => within(at, () => toJsonTree(each, writeLeaf, depth + 1)))
  }
  return isPlainObject(value) ? copyObject(value, writeLeaf, depth) : writeLeaf(value)
}

/** Tells whether parsed JSON is nested deeper than {@link toJsonTree} lets a value be. */
export function isTooDeep(tree: JsonTree, depth = 0): boolean {
  if (typeof tree !== 'object' || tree === null) return false
  return depth > MAX_DEPTH || Object.values(tree).some((each) => isTooDeep(each, depth + 1))
}

/** A value out of parsed JSON that is not too deep, with every text read by `readText`. */
export function fromJsonTree(tree: JsonTree, readText: (text: string) => unknown): unknown {
  if (typeof tree === 'string') return readText(tree)
  if (typeof tree !== 'object' || tree === null) return tree
  if (Array.isArray(tree)) return tree.map((each) => fromJsonTree(each, readText))
  const read: object = {}
  for (const [name, each] of Object.entries(tree)) setOwn(read, name, fromJsonTree(each, readText))
  return read
}

/** Texts, finite numbers, true, false and null as they are; anything else is a misfit. */
export const writeJsonLeaf: WriteLeaf = (value) => {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value !== 'number') throw misfit(`JSON holds no ${describeType(value).replace(/^an /, '')}`)
  if (Number.isFinite(value)) return value
  throw misfit('must be a finite number')
}

/** Tells an object that is nothing but names and values from an instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function copyObject(value: Readonly<Record<string, unknown>>, writeLeaf: WriteLeaf, depth: number): JsonTree {
  const copy: { [name: string]: JsonTree } = {}
  for (const name of Object.keys(value)) {
    const each = value[name]
    if (each === undefined) continue
    setOwn(
      copy,
      name,
      within(name, () => toJsonTree(each, writeLeaf, depth + 1)),
    )
  }
  return copy
}

function within<T>(place: PropertyKey, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    throw new Misfit(issuesAt(place, thrown))
  }
}
