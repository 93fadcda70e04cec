import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describeType } from '../../arguments/arguments.ts'
import {
  bigintCodec,
  booleanCodec,
  bytesCodec,
  choiceCodec,
  integerCodec,
  keyCodec,
  numberCodec,
  textCodec,
  timestampCodec,
  uuidCodec,
  type TextCodec,
} from './codecs.ts'
import { customCodec, type CustomCodec } from './custom-codec.ts'
import { Field, type FieldEquality } from './field.ts'
import { refusing } from './issues.ts'
import { checkedJsonCodec, uncheckedJsonCodec } from './json-codec.ts'
import type { KindKey } from './kind-key.ts'

/** Any text but such with NUL or a lone surrogate, stored as it is. */
export function text(): Field<string> {
  return required(textCodec, 'exact')
}

/** A whole number from -(2^53 - 1) to 2^53 - 1, stored in decimal: `-5`. */
export function integer(): Field<number> {
  return required(integerCodec, 'exact')
}

/** A finite number, stored as JavaScript prints it: `1.5e+21`. -0 is stored as 0. */
export function number(): Field<number> {
  return required(numberCodec, 'exact')
}

/** An integer of any size, stored in decimal. */
export function bigint(): Field<bigint> {
  return required(bigintCodec, 'exact')
}

/** Stored as `true` or `false`. */
export function boolean(): Field<boolean> {
  return required(booleanCodec, 'exact')
}

/** An instant with milliseconds, as a Date; stored in UTC: `2014-11-15T14:11:06.450Z`. */
export function timestamp(): Field<Date> {
  return required(timestampCodec, 'exact')
}

/** A UUID, stored and read in lower case. */
export function uuid(): Field<string> {
  return required(uuidCodec, 'exact')
}

/** Bytes, stored in base64. */
export function bytes(): Field<Uint8Array> {
  return required(bytesCodec, 'exact')
}

/** One of a few texts, stored as it is. A row with any other text cannot be read. */
export function oneOf<const T extends string>(...choices: readonly T[]): Field<T> {
  if (choices.length === 0) throw new TypeError('oneOf takes at least one text')
  for (const choice of choices) refusing('oneOf', () => textCodec.write(choice))
  return required(choiceCodec(choices), 'exact')
}

/**
 * The key of another entity, stored in decimal.
 *
 * @param _name the name of its kind: then a key of another kind does not compile
 * @example defineKind(2, 'photo', { owner: reference('user') })
 */
export function reference<const Name extends string = string>(_name?: Name): Field<KindKey<Name>> {
  return required(keyCodec as TextCodec<KindKey<Name>>, 'exact')
}

/**
 * A value stored as JSON: a type that you name, which nothing checks, or what a Standard Schema of yours gives, which is
 * validated when it is written and when it is read. What JSON would lose, such as a Date, is refused.
 *
 * @example { tags: json<string[]>(), address: json(z.object({ street: z.string() })) }
 */
export function json<T = unknown>(
  ...given: [] | [schema: StandardSchemaV1<unknown, T>]
): Field<T, 'required', 'never'> {
  // By their number: a schema that is undefined because two modules import each other must not mean "unchecked".
  return required(given.length === 0 ? uncheckedJsonCodec<T>() : checkedJsonCodec(given[0]), 'never')
}

/**
 * A type of your own. Equal values must have equal texts, and `read` must give back what `write` was given; both may
 * throw for what they do not take.
 *
 * @example const url = () => custom<URL>({ write: String, read: (text) => new URL(text) })
 */
export function custom<T>(codec: CustomCodec<T>): Field<T> {
  const { write, read } = Object(codec) as Partial<CustomCodec<T>>
  if (typeof write === 'function' && typeof read === 'function') return required(customCodec(codec), 'exact')
  throw new TypeError(`custom takes the functions write and read, got ${describeType(codec)}`)
}

function required<T, E extends FieldEquality>(codec: TextCodec<T>, equality: E): Field<T, 'required', E> {
  return new Field(codec, { presence: 'required', equality, isNullable: false, fallback: undefined })
}
