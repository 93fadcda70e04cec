import { describeType } from '../../arguments/arguments.ts'
import { Key } from '../../key/key.ts'

/** Throws a TypeError unless a call was given a `Key`. */
export function assertKey(verb: string, key: unknown): asserts key is Key {
  if (key instanceof Key) return
  throw new TypeError(`${verb} takes a Key, got ${describeType(key)}: write new Key(id)`)
}
