import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describeType } from '../../arguments/arguments.ts'
import type { Body } from '../../hstore/body.ts'
import { setOwn } from '../../hstore/set-own.ts'
import type { Change } from '../change/change.ts'
import type { BodyCodec, PlannedChange, ValueChange } from './body-codec.ts'
import { isPlainObject } from './json-tree.ts'
import { IssueList, misfit } from './misfit.ts'
import { readBack, UNSTABLE, validate } from './validate.ts'
import { readValue, writeValue } from './value-text.ts'

/**
 * Bodies by a Standard Schema, which knows values and not how they are stored: each key has the text that value-text.ts
 * gives its value. What is stored is what the schema has given; what is read is validated again, so that defaults come
 * in and nothing else comes out. So a schema has to take what it gives, and give it back: a put makes sure of it.
 *
 * A schema judges a whole and no part. So an update needs the entity as it is, and is sent on the condition that it is
 * still that.
 */
export class SchemaCodec implements BodyCodec {
  readonly #schema: StandardSchemaV1<unknown, unknown>

  constructor(schema: StandardSchemaV1<unknown, unknown>) {
    this.#schema = schema
  }

  write(value: unknown): Body {
    const body = writeObject(validate(this.#schema, value))
    this.#assertStable(body)
    return body
  }

  read(body: Body): object {
    return asObject(validate(this.#schema, readObject(body)))
  }

  planChange(change: ValueChange): PlannedChange {
    return (before, current) => this.#changeOf(before, current, change)
  }

  writeComparison(_name: string, value: unknown): string | null {
    if (value === null) return null
    const isScalar = typeof value !== 'object' || value instanceof Date
    if (isScalar && value !== undefined) return writeValue(value)
    throw misfit(`${describeType(value)} cannot be compared`)
  }

  /** A schema does not tell its fields. */
  assertField(): void {
    // Any name may be one.
  }

  #changeOf(before: object, current: Body, { set, unset }: ValueChange): Change {
    const kept = Object.entries(before).filter(([name]) => !unset.includes(name))
    const after = this.write(Object.fromEntries([...kept, ...Object.entries(set)]))
    assertKept(set, after)
    const changed = Object.entries(after).filter(([name, text]) => current[name] !== text)
    const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name) && Object.hasOwn(current, name))
    return { set: Object.fromEntries(changed), unset: gone }
  }

  #assertStable(body: Body): void {
    const again = readBack(() => writeObject(this.read(body)))
    const names = new Set([...Object.keys(body), ...Object.keys(again)])
    for (const name of names) if (body[name] !== again[name]) throw misfit(UNSTABLE, [name])
  }
}

/** A schema drops what it does not know; a change that would come to nothing is a mistake. */
function assertKept(set: ValueChange['set'], after: Body): void {
  const issues = new IssueList()
  for (const name of Object.keys(set)) if (!Object.hasOwn(after, name)) issues.add(name, 'its schema drops this value')
  issues.assertNone()
}

function writeObject(value: unknown): Body {
  const body: Record<string, string | null> = {}
  const issues = new IssueList()
  for (const [name, each] of Object.entries(asObject(value))) {
    if (each !== undefined) issues.collect(name, () => setOwn(body, name, each === null ? null : writeValue(each)))
  }
  issues.assertNone()
  return body
}

function readObject(body: Body): object {
  const read: object = {}
  for (const [name, text] of Object.entries(body)) setOwn(read, name, text === null ? null : readValue(text))
  return read
}

function asObject(value: unknown): object {
  if (isPlainObject(value)) return value
  throw misfit(`its schema must return a plain object, got ${describeType(value)}`)
}
