import { describeType } from '../../arguments/arguments.ts'
import type { Body } from '../../hstore/body.ts'
import type { Change } from '../change/change.ts'
import type { BodyCodec, ValueChange } from './body-codec.ts'
import type { ReadContext } from './codecs.ts'
import type { Field, FieldEquality, FieldPresence } from './field.ts'
import { IssueList, misfit } from './misfit.ts'

/** Any field, whatever its type. */
export type AnyField = Field<unknown, FieldPresence, FieldEquality>

/** The fields of a kind by name. */
export type Fields = Readonly<Record<string, AnyField>>

/** Bodies by fields: each key has the text of its field. */
export class FieldsCodec implements BodyCodec {
  readonly #fields: ReadonlyMap<string, AnyField>

  constructor(fields: Fields) {
    this.#fields = new Map(Object.entries(fields))
  }

  write(value: unknown): Body {
    assertObject(value)
    const issues = new IssueList()
    this.#refuseUnknown(value, issues)
    const body: Record<string, string | null> = {}
    for (const [name, field] of this.#fields) {
      issues.collect(name, () => {
        const text = field.write(Object.hasOwn(value, name) ? value[name] : undefined)
        if (text !== undefined) body[name] = text
      })
    }
    issues.assertNone()
    return body
  }

  read(body: Body, context: ReadContext): object {
    const issues = new IssueList()
    const read: Record<string, unknown> = {}
    for (const [name, field] of this.#fields) {
      issues.collect(name, () => {
        const text = Object.hasOwn(body, name) ? body[name] : undefined
        const value = text === undefined ? field.readMissing(context) : field.read(text, context)
        if (value !== undefined) read[name] = value
      })
    }
    issues.assertNone()
    return read
  }

  planChange({ set, unset }: ValueChange): Change {
    const issues = new IssueList()
    const texts: Record<string, string | null> = {}
    for (const [name, value] of Object.entries(set)) {
      issues.collect(name, () => {
        texts[name] = this.#fieldOf(name).write(value) ?? null
      })
    }
    for (const name of unset) issues.collect(name, () => assertUnset(this.#fieldOf(name)))
    issues.assertNone()
    return { set: texts, unset }
  }

  writeComparison(name: string, value: unknown): string | null {
    const field = this.#fieldOf(name)
    if (field.equality === 'never') throw misfit('is stored as JSON, of which equal values may have different texts')
    return field.write(value) ?? null
  }

  assertField(name: string): void {
    this.#fieldOf(name)
  }

  #fieldOf(name: string): AnyField {
    const field = this.#fields.get(name)
    if (field === undefined) throw misfit(NO_FIELD)
    return field
  }

  /** Refused and not dropped: it may be a field that is spelt wrong, or something that was not meant to be stored. */
  #refuseUnknown(value: object, issues: IssueList): void {
    for (const name of Object.keys(value)) if (!this.#fields.has(name)) issues.add(name, NO_FIELD)
  }
}

const NO_FIELD = 'is not a field of this kind'

function assertObject(value: unknown): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw misfit(`must be an object, got ${describeType(value)}`)
  }
}

function assertUnset({ presence }: AnyField): void {
  if (presence === 'required') throw misfit('is required, so it cannot be unset')
}
