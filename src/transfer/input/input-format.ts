import { CsvRecords, type CsvOptions } from './csv-records.ts'
import { JsonArray } from './json-array.ts'
import { JsonLines } from './json-lines.ts'
import type { NestedRule } from './json-record.ts'
import type { RecordReader } from './record-reader.ts'
import { trimBytes } from './white-space.ts'

/** A form in which rows are written: one JSON value per line, one JSON array, or CSV. */
export const inputFormats = ['ndjson', 'json', 'csv'] as const

/** One of these forms. */
export type InputFormat = (typeof inputFormats)[number]

/** How an input is read. */
export interface InputOptions extends CsvOptions {
  readonly nested: NestedRule
}

const byEnding: Readonly<Record<string, InputFormat>> = { csv: 'csv', tsv: 'csv', ndjson: 'ndjson', jsonl: 'ndjson' }

/** The form of an input by the ending of its name, without that of gzip, or else by its first mark; undefined if neither tells. */
export function decideFormat(name: string, head: Buffer): InputFormat | undefined {
  const ending = endingOf(name)
  const [first] = trimBytes(head)
  return byEnding[ending] ?? (first === 0x5b ? 'json' : first === 0x7b ? 'ndjson' : undefined)
}

/** What separates the fields of CSV when nothing is said. */
export function defaultDelimiter(name: string): string {
  return endingOf(name) === 'tsv' ? '\t' : ','
}

/** What reads the rows of an input in this form. */
export function createReader(format: InputFormat, options: InputOptions): RecordReader {
  if (format === 'csv') return new CsvRecords(options)
  return format === 'json' ? new JsonArray(options.nested) : new JsonLines(options.nested)
}

function endingOf(name: string): string {
  return /\.(\w+)(?:\.gz)?$/i.exec(name)?.[1]?.toLowerCase() ?? ''
}
