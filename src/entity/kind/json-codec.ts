import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describeType } from '../../arguments/arguments.ts'
import type { TextCodec } from './codecs.ts'
import { toJsonTree, writeJsonLeaf } from './json-tree.ts'
import { misfit } from './misfit.ts'
import { isSchema, readBack, UNSTABLE, validate } from './validate.ts'

/** JSON of a type that nothing checks. */
export function uncheckedJsonCodec<T>(): TextCodec<T> {
  return { write: writeJson, read: (text) => readJson(text) as T }
}

/** JSON that a schema validates. */
export function checkedJsonCodec<T>(schema: StandardSchemaV1<unknown, T> | undefined): TextCodec<T> {
  if (!isSchema(schema)) throw new TypeError(`json takes a Standard Schema, got ${describeType(schema)}`)
  const read = (text: string): T => validate(schema, readJson(text))
  return {
    read,
    write: (value) => {
      const text = writeJson(validate(schema, value))
      if (readBack(() => writeJson(read(text))) !== text) throw misfit(UNSTABLE)
      return text
    },
  }
}

function writeJson(value: unknown): string {
  return JSON.stringify(toJsonTree(value, writeJsonLeaf))
}

/** V8's error quotes the text, and so goes nowhere. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw misfit('is not JSON')
  }
}
