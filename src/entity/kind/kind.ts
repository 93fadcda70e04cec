import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'
import type { BodyCodec, PlannedChange, ValueChange } from './body-codec.ts'
import type { ReadContext } from './codecs.ts'
import type { Fields } from './fields-codec.ts'
import { reading, refusing } from './issues.ts'

/**
 * Kinds: what the bodies of one sort of entity are, in TypeScript.
 *
 *   defineKind     number, name, and either fields or a Standard Schema  ->  Kind
 *   Kind           makes values to bodies and back; frozen; knows no server
 *   KindRegistry   which kinds a datastore has met: a number has one name there, and a name one number
 *   KindStore      the operations of a datastore on one kind; KindTransaction the same in a transaction
 *
 * - A stored body is authoritative, and may be older or newer than the definition. Keys that the kind does not know are
 *   left out of a value and survive an update; only a replace leaves nothing of them.
 * - Missing is missing and null is hstore's null: neither stands for the other.
 * - Nothing is sent before a value is checked as a whole. What does not fit is a TypeError that names all places.
 * - An operation is sent on the condition that the entity is of the kind, in the same statement: a key of another kind
 *   is `HV_KIND_MISMATCH`, and nothing is written.
 * - Values are secrets: a message names paths and types. What a schema says may quote values, and is only to be had by
 *   `issuesOf`.
 */

/** What the values of a kind are: fields, or a Standard Schema of an object. */
export type KindDefinition = Fields | StandardSchemaV1<unknown, object>

/** Any kind. */
export type AnyKind = Kind<string, KindDefinition>

/** A sort of entities: its number, its name, and the types of its fields. Made by `defineKind`. */
export class Kind<Name extends string, D extends KindDefinition> {
  /** What the column `type` of its entities says. */
  readonly number: number
  readonly name: Name
  readonly definition: D
  readonly #codec: BodyCodec

  /** @internal */
  constructor(number: number, name: Name, definition: D, codec: BodyCodec) {
    this.number = number
    this.name = name
    this.definition = definition
    this.#codec = codec
    Object.freeze(this)
  }

  /** @internal The body of a value; a TypeError names what does not fit. */
  write(value: unknown, root: string = this.name): Body {
    return refusing(root, () => this.#codec.write(value))
  }

  /** @internal The value of a body; throws `HV_KIND_UNREADABLE`. */
  read(key: Key, body: Body, context: ReadContext): object {
    return reading({ key, kind: this.number, name: this.name }, () => this.#codec.read(body, context))
  }

  /** @internal */
  planChange(change: ValueChange): PlannedChange {
    return refusing(this.name, () => this.#codec.planChange(change))
  }

  /** @internal */
  writeComparison(name: string, value: unknown): string | null {
    return this.#codec.writeComparison(name, value)
  }

  /** @internal */
  assertField(name: string): void {
    this.#codec.assertField(name)
  }
}
