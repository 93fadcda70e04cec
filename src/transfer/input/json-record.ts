import { BODY_COLUMN, ownColumns } from '../../entity/scan/export/export-options.ts'
import { assertBody } from '../../hstore/assert-body.ts'
import type { Body } from '../../hstore/body.ts'
import { findExported } from './exported-entity.ts'
import { sourcesOfMembers } from './json-members.ts'
import { readUtf8, RowProblem, showBytes, type SourceRecord, type SourceRow } from './source-record.ts'

/*
 * A record in JSON: a line that an export wrote, or else a flat object, all of whose members become the body.
 *
 *   "text"          the text
 *   null            null
 *   number          its digits as they are written: 1.50 stays 1.50, and no digit of a large one is lost
 *   true, false     true, false
 *   {…}, […]        refused, or its JSON as it is written
 */

/** What to do with an object or array inside a record: `reject` the record, or store it as `json` text. */
export type NestedRule = 'reject' | 'json'

type JsonObject = Readonly<Record<string, unknown>>

/** One value of JSON, as the bytes it is written in. */
export class JsonRecord implements SourceRecord {
  readonly line: number
  readonly #bytes: Buffer
  readonly #nested: NestedRule

  constructor(line: number, bytes: Buffer, nested: NestedRule) {
    this.line = line
    this.#bytes = bytes
    this.#nested = nested
  }

  get text(): string {
    return showBytes(this.#bytes)
  }

  parse(): SourceRow {
    const text = readUtf8(this.#bytes)
    const value = parseJson(text)
    if (!isObject(value)) throw new RowProblem(`it is not a JSON object, but ${describe(value)}`)
    return findEntityRow(value) ?? { body: checkBody(flatten(value, text, this.#nested)) }
  }
}

/** The members of a line that an export wrote, and no others. */
const OWN_MEMBERS = [...ownColumns, BODY_COLUMN]

/** The row of a line that an export wrote; undefined for an object of the user, whatever its members are called. */
function findEntityRow(value: JsonObject): SourceRow | undefined {
  const { key, shard, kind, created, updated, body } = value
  const isWhole =
    Object.keys(value).length === OWN_MEMBERS.length && OWN_MEMBERS.every((name) => Object.hasOwn(value, name))
  const entity = isWhole && isTextObject(body) ? findExported({ key, shard, kind, created, updated }) : undefined
  return entity && { body: checkBody(body), entity }
}

/** The JSON object of texts and nulls that this is the text of; undefined if it is none. */
export function findTextObject(text: string): Body | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return isTextObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isTextObject(value: unknown): value is Body {
  return isObject(value) && Object.values(value).every((member) => member === null || typeof member === 'string')
}

function flatten(value: JsonObject, text: string, nested: NestedRule): Body {
  const entries = Object.entries(value)
  if (entries.every(([, member]) => member === null || typeof member === 'string')) return value as Body
  const sources = sourcesOfMembers(text)
  const texts = entries.map(([key, member]) => {
    if (nested === 'reject' && typeof member === 'object' && member !== null) throw nestedProblem(key, member)
    return [key, member === null || typeof member === 'string' ? member : sources.get(key)]
  })
  return Object.fromEntries(texts) as Body
}

function nestedProblem(key: string, member: object): RowProblem {
  return new RowProblem(`${JSON.stringify(key)} holds ${describe(member)}, but a body can hold only text`)
}

/** Throws a {@link RowProblem} for what cannot be stored. */
export function checkBody(body: unknown): Body {
  try {
    assertBody(body)
    return body
  } catch (error) {
    throw new RowProblem((error as Error).message)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    // V8 quotes the text in some messages, so only the place is taken from them.
    const place = /at position (\d+)/.exec(String(error))?.[1]
    throw new RowProblem(
      place === undefined ? 'it is not JSON' : `it is not JSON, from character ${Number(place) + 1} on`,
    )
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
