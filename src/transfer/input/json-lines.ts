import { ByteParts } from './byte-parts.ts'
import { JsonRecord, type NestedRule } from './json-record.ts'
import type { RecordReader } from './record-reader.ts'
import { BadRecord, MAX_RECORD_BYTES, showBytes, type SourceRecord } from './source-record.ts'
import { trimBytes } from './white-space.ts'

const LINE_FEED = 0x0a

/** Reads NDJSON: one value of JSON on each line, lines without anything between them. */
export class JsonLines implements RecordReader {
  readonly #nested: NestedRule
  readonly #parts = new ByteParts(MAX_RECORD_BYTES)
  #line = 1

  constructor(nested: NestedRule) {
    this.#nested = nested
  }

  push(bytes: Buffer, into: SourceRecord[]): void {
    let start = 0
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
      this.#parts.add(bytes.subarray(start, end))
      this.#take(into)
      start = end + 1
    }
    this.#parts.add(bytes.subarray(start))
  }

  /** The last line may have no end. */
  end(into: SourceRecord[]): void {
    this.#take(into)
  }

  #take(into: SourceRecord[]): void {
    const { isOverfull } = this.#parts
    const bytes = trimBytes(this.#parts.take())
    const line = this.#line++
    if (isOverfull) into.push(new BadRecord(line, showBytes(bytes), `it is longer than ${MAX_RECORD_BYTES} bytes`))
    else if (bytes.length > 0) into.push(new JsonRecord(line, bytes, this.#nested))
  }
}
