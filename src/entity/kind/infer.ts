import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Field } from './field.ts'
import type { Fields } from './fields-codec.ts'
import type { AnyKind } from './kind.ts'
import type { KindKey } from './kind-key.ts'

/*
 * What the definition of a kind says of the types of its values. A definition by a Standard Schema may give a union of
 * objects: each type here goes over its members.
 */

/** What a put of this kind takes. */
export type InferInput<K extends AnyKind> = DefinedInput<K['definition']>

/** What a get of this kind gives. */
export type InferOutput<K extends AnyKind> = DefinedOutput<K['definition']>

/** A key of an entity of this kind. */
export type KeyOf<K extends AnyKind> = KindKey<K['name']>

/** The fields that an update of this kind can set, and their values. */
export type KindSet<K extends AnyKind> = Flat<PartialOf<InferInput<K>>>

/** The names of the fields that an update of this kind can unset. */
export type KindUnset<K extends AnyKind> = OptionalName<InferInput<K>>

/** The names of the fields of this kind. */
export type FieldName<K extends AnyKind> = NameOf<InferOutput<K>>

/** The fields of this kind that can be compared, with null where they may be null. */
export type Comparable<K extends AnyKind> = DefinedComparable<K['definition']>

/** Makes one object of an intersection, so that an editor shows the fields and not how they came about. */
type Flat<T> = T extends unknown ? { [N in keyof T]: T[N] } : never

type DefinedInput<D> = D extends StandardSchemaV1 ? SchemaInput<D> : D extends Fields ? FieldsInput<D> : never

type DefinedOutput<D> = D extends StandardSchemaV1 ? SchemaOutput<D> : D extends Fields ? FieldsOutput<D> : never

type DefinedComparable<D> = D extends StandardSchemaV1
  ? SchemaComparable<SchemaOutput<D>>
  : D extends Fields
    ? FieldsComparable<D>
    : never

/** A schema that takes anything, to make something of it, is given what it gives. */
type SchemaInput<S extends StandardSchemaV1> =
  unknown extends StandardSchemaV1.InferInput<S> ? SchemaOutput<S> : Extract<StandardSchemaV1.InferInput<S>, object>

type SchemaOutput<S extends StandardSchemaV1> = Extract<StandardSchemaV1.InferOutput<S>, object>

type ValueOf<F> = F extends Field<infer T, infer _P, infer _E> ? T : never

type FieldsInput<F extends Fields> = Flat<
  { [N in keyof F as F[N]['presence'] extends 'required' ? N : never]: ValueOf<F[N]> } & {
    [N in keyof F as F[N]['presence'] extends 'required' ? never : N]?: ValueOf<F[N]> | undefined
  }
>

type FieldsOutput<F extends Fields> = Flat<
  { [N in keyof F as F[N]['presence'] extends 'optional' ? never : N]: ValueOf<F[N]> } & {
    [N in keyof F as F[N]['presence'] extends 'optional' ? N : never]?: ValueOf<F[N]>
  }
>

type FieldsComparable<F extends Fields> = {
  [N in keyof F as F[N]['equality'] extends 'exact' ? N : never]: ValueOf<F[N]>
}

/** Values that always have the same text. */
type Scalar = string | number | bigint | boolean | Date | null | undefined

type SchemaComparable<O> = {
  [N in ComparableName<O>]: O extends unknown ? (N extends keyof O ? Exclude<O[N], undefined> : never) : never
}

type ComparableName<O> = O extends unknown
  ? { [N in keyof O]-?: O[N] extends Scalar ? N & string : never }[keyof O]
  : never

type NameOf<T> = T extends unknown ? keyof T & string : never

type OptionalName<T> = T extends unknown
  ? { [N in keyof T]-?: Record<never, never> extends Pick<T, N> ? N & string : never }[keyof T]
  : never

type PartialOf<T> = T extends unknown ? { readonly [N in keyof T]?: Exclude<T[N], undefined> } : never
