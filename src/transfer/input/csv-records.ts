import { CsvError, parse, type Parser } from 'csv-parse'
import { ownColumns } from '../../entity/scan/export/export-options.ts'
import {
  CsvRecord,
  decodeLatin1,
  findTwice,
  isExport,
  twiceNamed,
  type CsvTerms,
  type EmptyRule,
} from './csv-record.ts'
import { MalformedInput } from './malformed-input.ts'
import type { RecordReader } from './record-reader.ts'
import { MAX_RECORD_BYTES, type SourceRecord } from './source-record.ts'

/** How CSV is written. */
export interface CsvOptions {
  readonly delimiter: string
  /** Names of the columns when the first record is none of them. */
  readonly columns: readonly string[] | undefined
  readonly empty: EmptyRule
}

/** What the parser gives. */
interface ParsedRecord {
  readonly record: readonly string[]
  readonly raw: string
}

/** What the parser does not see as a fault is seen by the record: a misplaced quote, another number of fields. */
const lenient = { relax_column_count: true, relax_quotes: true } as const

/** Reads CSV, whose first record names the columns unless the options do. */
export class CsvRecords implements RecordReader {
  readonly #parser: Parser
  readonly #options: CsvOptions
  #terms: CsvTerms | undefined
  #line = 1
  /** Bytes in front of the record that is being read. */
  #offset = 0
  #into: SourceRecord[] = []

  constructor(options: CsvOptions) {
    this.#options = options
    const { columns, delimiter, empty } = options
    if (columns !== undefined) this.#terms = { columns, delimiter, empty }
    this.#parser = parse({
      ...lenient,
      delimiter,
      encoding: 'latin1',
      max_record_size: MAX_RECORD_BYTES,
      raw: true,
      record_delimiter: ['\r\n', '\n', '\r'],
      // What it is given it does not hold back, as its stream would when there is an error.
      on_record: (record, { bytes }) => this.#take(record as unknown as ParsedRecord, bytes),
    })
    this.#parser.on('error', () => undefined)
    this.#parser.resume()
  }

  async push(bytes: Buffer, into: SourceRecord[]): Promise<void> {
    this.#into = into
    await this.#feed((done) => this.#parser.write(bytes, done))
  }

  async end(into: SourceRecord[]): Promise<void> {
    this.#into = into
    await this.#feed((done) => this.#parser.end(done))
  }

  #feed(feed: (done: (error?: Error | null) => void) => void): Promise<void> {
    // Bound: the parser works in memory, and calls back when it is done.
    return new Promise((resolve, reject) => feed((error) => (error ? reject(this.#describe(error)) : resolve())))
  }

  #take({ record, raw }: ParsedRecord, offset: number): undefined {
    const line = this.#line
    this.#line += countLineEnds(raw)
    this.#offset = offset
    if (this.#isNothing(record, raw)) return
    if (this.#terms === undefined) this.#terms = this.#readHeader(record, line)
    else this.#into.push(new CsvRecord(line, record, raw, this.#terms))
  }

  /** An empty line is how PostgreSQL writes null in the only column; with several columns, and before a header, it is nothing. */
  #isNothing(record: readonly string[], raw: string): boolean {
    return this.#terms?.columns.length !== 1 && record.length === 1 && /^[\r\n]*$/.test(raw)
  }

  #readHeader(record: readonly string[], line: number): CsvTerms {
    const { delimiter, empty } = this.#options
    const columns = record.map(decodeLatin1)
    const nameless = columns.indexOf('')
    if (nameless !== -1) throw new MalformedInput(`column ${nameless + 1} has no name`, { line, offset: 0 })
    // Behind its own columns an export may write keys of the body with the same names.
    const twice = findTwice(isExport(columns) ? columns.slice(ownColumns.length) : columns)
    if (twice !== undefined) throw new MalformedInput(twiceNamed(twice), { line, offset: 0 })
    return { columns, delimiter, empty }
  }

  #describe(error: Error): Error {
    if (!(error instanceof CsvError)) return error
    const place = { line: this.#line, offset: this.#offset }
    if (error.code === 'CSV_QUOTE_NOT_CLOSED') return new MalformedInput('a quote is never closed', place)
    if (error.code !== 'CSV_MAX_RECORD_SIZE') return new MalformedInput(`it is no CSV (${error.code})`, place)
    const reason = `a record is longer than ${MAX_RECORD_BYTES} bytes, or a quote is never closed`
    return new MalformedInput(reason, place)
  }
}

function countLineEnds(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0
}
