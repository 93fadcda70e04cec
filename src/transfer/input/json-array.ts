import { ByteParts } from './byte-parts.ts'
import { JsonRecord, type NestedRule } from './json-record.ts'
import { MalformedInput } from './malformed-input.ts'
import type { RecordReader } from './record-reader.ts'
import { BadRecord, MAX_RECORD_BYTES, type SourceRecord } from './source-record.ts'
import { isWhiteSpace, trimBytes } from './white-space.ts'

/*
 * Splits a JSON array into its elements, each of which is then parsed by itself: so one that is not valid is refused
 * alone, with its line, which the streaming parsers that are around do not do. Only brackets and quotes are looked at.
 *
 *   before ──[──▶ inside ──]──▶ behind
 */

const LINE_FEED = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Reads one JSON array. */
export class JsonArray implements RecordReader {
  readonly #nested: NestedRule
  readonly #parts = new ByteParts(MAX_RECORD_BYTES)
  #state: 'before' | 'inside' | 'behind' = 'before'
  #depth = 0
  #isInText = false
  #isEscaped = false
  #line = 1
  /** Line of the element's first byte; 0 before it. */
  #firstLine = 0
  #hasElements = false
  /** Bytes that were read before those that are being read. */
  #offset = 0
  /** Bytes in front of the element. */
  #elementOffset = 0

  constructor(nested: NestedRule) {
    this.#nested = nested
  }

  /** Throws MalformedInput if the input is not an array, an element is too long, or anything follows the array. */
  push(bytes: Buffer, into: SourceRecord[]): void {
    let start = 0
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at] as number
      if (byte === LINE_FEED) this.#line += 1
      if (this.#state === 'inside' && !this.#endsElement(byte)) continue
      if (this.#state === 'inside') {
        this.#add(bytes.subarray(start, at))
        this.#take(byte, into)
      } else this.#stepOutside(byte)
      start = at + 1
      this.#elementOffset = this.#offset + start
    }
    this.#add(bytes.subarray(start))
    this.#offset += bytes.length
  }

  /** Throws MalformedInput if the array has no end. */
  end(): void {
    if (this.#state === 'behind') return
    throw this.#malformed(this.#state === 'before' ? 'it does not contain an array' : 'its array has no end')
  }

  #add(part: Buffer): void {
    this.#parts.add(part)
    if (this.#parts.isOverfull) throw this.#malformed(`an element is longer than ${MAX_RECORD_BYTES} bytes`)
  }

  #stepOutside(byte: number): void {
    if (isWhiteSpace(byte)) return
    if (this.#state === 'behind') throw this.#malformed('there is content after its array')
    if (byte !== OPEN_BRACKET) throw this.#malformed('it does not begin with [')
    this.#state = 'inside'
  }

  #endsElement(byte: number): boolean {
    if (this.#isInText) return this.#stepInText(byte)
    if (this.#depth === 0 && (byte === COMMA || byte === CLOSE_BRACKET)) return true
    if (this.#firstLine === 0 && !isWhiteSpace(byte)) this.#firstLine = this.#line
    if (byte === QUOTE) this.#isInText = true
    else this.#depth = Math.max(0, this.#depth + depthStep(byte))
    return false
  }

  #stepInText(byte: number): false {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === BACKSLASH) this.#isEscaped = true
    else if (byte === QUOTE) this.#isInText = false
    return false
  }

  #take(mark: number, into: SourceRecord[]): void {
    const isLast = mark === CLOSE_BRACKET
    const isEmptyArray = isLast && !this.#hasElements && this.#firstLine === 0
    const line = this.#firstLine || this.#line
    const bytes = trimBytes(this.#parts.take())
    this.#firstLine = 0
    this.#hasElements = true
    if (isLast) this.#state = 'behind'
    if (isEmptyArray) return
    into.push(
      bytes.length === 0 ? new BadRecord(line, '', 'there is no element') : new JsonRecord(line, bytes, this.#nested),
    )
  }

  #malformed(reason: string): MalformedInput {
    return new MalformedInput(reason, { line: this.#firstLine || this.#line, offset: this.#elementOffset })
  }
}

function depthStep(byte: number): number {
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return 1
  return byte === CLOSE_BRACE || byte === CLOSE_BRACKET ? -1 : 0
}
