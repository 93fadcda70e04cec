import { Buffer } from 'node:buffer'
import { BODY_COLUMN, ownColumns } from '../../entity/scan/export/export-options.ts'
import type { Body } from '../../hstore/body.ts'
import { findQuoted } from './csv-fields.ts'
import { findExported } from './exported-entity.ts'
import { checkBody, findTextObject } from './json-record.ts'
import { readUtf8, RowProblem, showBytes, type SourceRecord, type SourceRow } from './source-record.ts'

/*
 * A record of CSV. A field in quotes is its text, also when that is empty; a field without quotes and without text is
 * what the rule for empty fields says. PostgreSQL writes and reads null and empty text in the same way.
 *
 * The parser is told that the text is Latin-1, so a character here is a byte there, and bytes that are no UTF-8 are seen.
 */

/** What a field without quotes and without text is: `null`, empty `text`, or `absent` from the body. */
export type EmptyRule = 'null' | 'text' | 'absent'

/** What the records of one input have in common. */
export interface CsvTerms {
  readonly columns: readonly string[]
  readonly delimiter: string
  readonly empty: EmptyRule
}

/** One record of CSV. */
export class CsvRecord implements SourceRecord {
  readonly line: number
  readonly #values: readonly string[]
  readonly #raw: string
  readonly #terms: CsvTerms

  /** @param raw the record as it is written, in Latin-1 like the values */
  constructor(line: number, values: readonly string[], raw: string, terms: CsvTerms) {
    this.line = line
    this.#values = values
    this.#raw = raw
    this.#terms = terms
  }

  get text(): string {
    return showBytes(Buffer.from(this.#raw, 'latin1')).replace(/^[\r\n]+|[\r\n]+$/g, '')
  }

  parse(): SourceRow {
    const { columns, delimiter } = this.#terms
    const { length } = this.#values
    if (length !== columns.length)
      throw new RowProblem(`it has ${length} fields, and there are ${columns.length} columns`)
    const isQuoted = findQuoted(this.#values, this.#raw, delimiter)
    if (isQuoted === undefined) throw new RowProblem('there is a quote inside a field')
    const exported = isExport(columns) ? this.#findEntityRow(isQuoted) : undefined
    if (exported !== undefined) return exported
    const twice = findTwice(columns)
    if (twice !== undefined) throw new RowProblem(twiceNamed(twice))
    return { body: checkBody(this.#body(isQuoted, 0)) }
  }

  /** The body that the fields from `first` on make. */
  #body(isQuoted: readonly boolean[], first: number): Body {
    const { columns, empty } = this.#terms
    const entries = this.#values.slice(first).map((value, index): [string, string | null | undefined] => {
      const isEmpty = value === '' && isQuoted[first + index] === false
      return [columns[first + index] as string, isEmpty ? emptyValues[empty] : decodeLatin1(value)]
    })
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Body
  }

  /** The row of a record that an export wrote; undefined for any other, whatever the columns are called. */
  #findEntityRow(isQuoted: readonly boolean[]): SourceRow | undefined {
    const [key, shard = '', kind = '', created, updated] = this.#values
    const isNull = updated === '' && isQuoted[UPDATED_AT] === false
    const own = { key, shard: toInteger(shard), kind: toInteger(kind), created, updated: isNull ? null : updated }
    const entity = findExported(own)
    const body = this.#findExportedBody(isQuoted)
    return entity && body && { entity, body: checkBody(body) }
  }

  /** One JSON object, or a column for each key. */
  #findExportedBody(isQuoted: readonly boolean[]): Body | undefined {
    if (!hasWholeBody(this.#terms.columns)) return this.#body(isQuoted, ownColumns.length)
    return findTextObject(decodeLatin1(this.#values.at(-1) ?? ''))
  }
}

const UPDATED_AT = ownColumns.indexOf('updated')

const emptyValues: Readonly<Record<EmptyRule, string | null | undefined>> = { null: null, text: '', absent: undefined }

/** Whether an export may have written records with these columns: it always begins with the same. */
export function isExport(columns: readonly string[]): boolean {
  return ownColumns.every((column, index) => column === columns[index])
}

/** Whether the body is one JSON object, and has no column for each key. */
function hasWholeBody(columns: readonly string[]): boolean {
  return columns.length === ownColumns.length + 1 && columns.at(-1) === BODY_COLUMN
}

/** The first column with the name of one before it. */
export function findTwice(columns: readonly string[]): string | undefined {
  return columns.find((column, index) => columns.indexOf(column) !== index)
}

/** What is wrong with columns of which two have this name. */
export function twiceNamed(column: string): string {
  return `two columns are named ${JSON.stringify(column)}`
}

function toInteger(text: string): number | undefined {
  return /^(?:0|-?[1-9]\d*)$/.test(text) ? Number(text) : undefined
}

/** The text whose bytes are the characters of another one; throws a {@link RowProblem} if they are no UTF-8. */
export function decodeLatin1(text: string): string {
  return /[\u0080-\u00ff]/.test(text) ? readUtf8(Buffer.from(text, 'latin1')) : text
}
