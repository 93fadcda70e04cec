import type { ReadContext, TextCodec } from './codecs.ts'
import { refusing } from './issues.ts'
import { misfit } from './misfit.ts'

/**
 * Whether a value must be given: `required`; `optional`, then it may be missing; or `default`, then one that is missing
 * reads as the default.
 */
export type FieldPresence = 'required' | 'optional' | 'default'

/** Whether equal values always have equal texts, so that a `where` can ask for them: `exact`, or `never` for JSON. */
export type FieldEquality = 'exact' | 'never'

interface FieldTraits<P extends FieldPresence, E extends FieldEquality> {
  readonly presence: P
  readonly equality: E
  readonly isNullable: boolean
  /** Gives the text of the default. */
  readonly fallback: (() => string | null) | undefined
}

/**
 * One field of a kind: the TypeScript type of its values, and how they are written as text. Made by `text()`, `integer()`
 * and their like. Frozen: each method gives another field.
 */
export class Field<T, P extends FieldPresence = 'required', E extends FieldEquality = 'exact'> {
  readonly presence: P
  readonly equality: E
  readonly #codec: TextCodec<T>
  readonly #traits: FieldTraits<P, E>

  /** @internal */
  constructor(codec: TextCodec<T>, traits: FieldTraits<P, E>) {
    this.presence = traits.presence
    this.equality = traits.equality
    this.#codec = codec
    this.#traits = traits
    Object.freeze(this)
  }

  /** The value may be missing: then the entity has no such key, and reads without it. */
  optional(): Field<T, 'optional', E> {
    this.#assertRequired()
    return new Field(this.#codec, { ...this.#traits, presence: 'optional' })
  }

  /** The value may be null, which is hstore's null. It is not the same as missing. */
  nullable(): Field<T | null, P, E> {
    return new Field<T | null, P, E>(this.#codec, { ...this.#traits, isNullable: true })
  }

  /**
   * What a value that is missing reads as, also in an entity that was stored before there was this field. A put writes
   * it. A function is called each time.
   *
   * @throws TypeError for a value that the field does not take
   */
  default(value: T | (() => T)): Field<T, 'default', E> {
    this.#assertRequired()
    return new Field(this.#codec, { ...this.#traits, presence: 'default', fallback: this.#fallbackOf(value) })
  }

  /** @internal The text of a value, null for null, undefined for none. Throws a misfit. */
  write(value: unknown): string | null | undefined {
    if (value === undefined) return this.#writeMissing()
    return this.#writePresent(value)
  }

  /** @internal The value of a text or a null. Throws a misfit. */
  read(text: string | null, context: ReadContext): T | null {
    if (text !== null) return this.#codec.read(text, context)
    if (this.#traits.isNullable) return null
    throw misfit('is null, which the field does not allow')
  }

  /** @internal The value of a field that an entity lacks; undefined for none. Throws a misfit. */
  readMissing(context: ReadContext): T | null | undefined {
    const text = this.#writeMissing()
    return text === undefined ? undefined : this.read(text, context)
  }

  #writePresent(value: unknown): string | null {
    return value === null && this.#traits.isNullable ? null : this.#codec.write(value)
  }

  #writeMissing(): string | null | undefined {
    const { presence, fallback } = this.#traits
    if (presence === 'required') throw misfit('is missing')
    return fallback?.()
  }

  /** The text of a constant is made once, and read each time: nobody shares an array with another entity. */
  #fallbackOf(value: T | (() => T)): () => string | null {
    if (typeof value === 'function') return () => this.#writePresent((value as () => T)())
    const text = refusing('the default', () => this.#writePresent(value))
    return () => text
  }

  #assertRequired(): void {
    if (this.presence !== 'required') throw new TypeError('a field is optional or has a default, once')
  }
}
