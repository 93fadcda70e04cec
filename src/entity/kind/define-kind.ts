import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describeType } from '../../arguments/arguments.ts'
import { assertStorableKey } from '../../hstore/checks.ts'
import { assertKind } from '../rows/entity.ts'
import { Field } from './field.ts'
import { FieldsCodec, type Fields } from './fields-codec.ts'
import { isPlainObject } from './json-tree.ts'
import { Kind, type KindDefinition } from './kind.ts'
import { SchemaCodec } from './schema-codec.ts'
import { isSchema } from './validate.ts'

/** A schema whose output is no input, so that what is stored could not be read. Names the mistake in an error of the compiler. */
export interface SchemaChangesTypes {
  readonly 'a kind stores what its schema gives, so the schema must take it too: use one without a transform to another type': never
}

/** What a definition must be beyond its type: nothing, or the mistake that was made. */
export type CheckedDefinition<D> = D extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<D> extends StandardSchemaV1.InferInput<D>
    ? unknown
    : SchemaChangesTypes
  : unknown

/**
 * Defines a kind of entities.
 *
 * @param number the smallint that the column `type` of its entities has; never give it to another kind
 * @param name what it is called in messages and in the types of its keys
 * @param definition the fields by name, or a Standard Schema (Zod, Valibot, ArkType …) of an object
 * @throws TypeError, RangeError
 * @example const User = defineKind(1, 'user', { name: text(), born: timestamp(), bio: text().optional() })
 */
export function defineKind<const Name extends string, D extends KindDefinition>(
  number: number,
  name: Name,
  definition: D & CheckedDefinition<D>,
): Kind<Name, D> {
  assertKind(number, 'the number of a kind')
  assertName(name)
  if (isSchema(definition)) return new Kind<Name, D>(number, name, definition, new SchemaCodec(definition))
  assertFields(definition)
  return new Kind<Name, D>(number, name, Object.freeze({ ...definition }), new FieldsCodec(definition))
}

function assertName(name: unknown): void {
  if (typeof name !== 'string') throw new TypeError(`the name of a kind must be a string, got ${describeType(name)}`)
  if (/^[\p{L}_][\p{L}\p{N}_-]{0,62}$/u.test(name)) return
  throw new RangeError('the name of a kind must be 1 to 63 letters, digits, _ and -, and begin with a letter or _')
}

function assertFields(definition: unknown): asserts definition is Fields {
  if (!isPlainObject(definition)) {
    throw new TypeError(
      `a kind is defined by an object of fields or a Standard Schema, got ${describeType(definition)}`,
    )
  }
  for (const [name, field] of Object.entries(definition)) assertField(name, field)
}

function assertField(name: string, field: unknown): void {
  assertStorableKey(name)
  if (name === '__proto__') throw new RangeError('a field cannot be called __proto__')
  if (field instanceof Field) return
  const hint = typeof field === 'function' ? ': call the function, as in text()' : ''
  throw new TypeError(
    `field ${JSON.stringify(name)} must be created with text(), integer() …, got ${describeType(field)}${hint}`,
  )
}
