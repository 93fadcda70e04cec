import type { Body } from '../../hstore/body.ts'
import { describeType } from '../../arguments.ts'
import type { Change } from '../change/change.ts'
import type { BodyCodec, ValueChange } from './body-codec.ts'
import type { ReadContext } from './codecs.ts'
import type { Field, FieldEquality, FieldPresence } from './field.ts'
import { assertNone, issuesAt, misfit, type Issue } from './misfit.ts'

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
    const issues: Issue[] = this.#unknownIn(value)
    const body: Record<string, string | null> = {}
    for (const [name, field] of this.#fields) {
      try {
        const text = field.write(Object.hasOwn(value, name) ? value[name] : undefined)
        if (text !== undefined) body[name] = text
      } catch (thrown) {
        issues.push(...issuesAt(name, thrown))
      }
    }
    assertNone(issues)
    return body
  }

  read(body: Body, context: ReadContext): object {
    const issues: Issue[] = []
    const read: Record<string, unknown> = {}
    for (const [name, field] of this.#fields) {
      try {
        const text = Object.hasOwn(body, name) ? body[name] : undefined
        const value = text === undefined ? field.readMissing(context) : field.read(text, context)
        if (value !== undefined) read[name] = value
      } catch (thrown) {
        issues.push(...issuesAt(name, thrown))
      }
    }
    assertNone(issues)
    return read
  }

  planChange({ set, unset }: ValueChange): Change {
    const issues: Issue[] = this.#unknownIn(set)
    const texts: Record<string, string | null> = {}
    for (const [name, value] of Object.entries(set)) {
      try {
        const text = this.#fields.get(name)?.write(value)
        if (text !== undefined) texts[name] = text
      } catch (thrown) {
        issues.push(...issuesAt(name, thrown))
      }
    }
    assertNone([...issues, ...unset.flatMap((name) => this.#issuesOfUnset(name))])
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
  #unknownIn(value: object): Issue[] {
    return Object.keys(value)
      .filter((name) => !this.#fields.has(name))
      .map((name) => ({ path: [name], reason: NO_FIELD, message: NO_FIELD }))
  }

  #issuesOfUnset(name: string): Issue[] {
    const field = this.#fields.get(name)
    const reason = field === undefined ? NO_FIELD : 'is required, so it cannot be unset'
    return field === undefined || field.presence === 'required' ? [{ path: [name], reason, message: reason }] : []
  }
}

const NO_FIELD = 'is no field of this kind'

function assertObject(value: unknown): asserts value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw misfit(`must be an object, got ${describeType(value)}`)
  }
}
