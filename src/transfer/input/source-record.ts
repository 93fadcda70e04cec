import { isUtf8 } from 'node:buffer'
import type { Body } from '../../hstore/body.ts'

/** Longest record, in bytes. One that is longer is most likely a file of another format; it would have to fit in memory. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024

/** Most bytes of a record that are shown with the reason why it is no row. */
const MAX_SHOWN_BYTES = 64 * 1024

/** What a record says. */
export interface SourceRow {
  readonly body: Body
  /** What it was before, for a line that an export wrote. */
  readonly entity?: ExportedEntity
}

/** What an export says of an entity besides its body, as it stands there. */
export interface ExportedEntity {
  readonly key: string
  readonly kind: number
  /** ISO 8601; null for never. */
  readonly updated: string | null
}

/** One record of an input. */
export interface SourceRecord {
  /** The line it begins in, from 1. */
  readonly line: number
  /** As it stands in the input; the beginning, if it is very long. */
  readonly text: string
  /** The row; throws a {@link RowProblem} if it is none. */
  parse(): SourceRow
}

/** Why a record is no row. Its message may name fields, but shows no value. */
export class RowProblem extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'RowProblem'
  }
}

/** A record of which is known that it is no row. */
export class BadRecord implements SourceRecord {
  readonly line: number
  readonly text: string
  readonly #reason: string

  constructor(line: number, text: string, reason: string) {
    this.line = line
    this.text = text
    this.#reason = reason
  }

  parse(): never {
    throw new RowProblem(this.#reason)
  }
}

/** Text of UTF-8; throws a {@link RowProblem} for other bytes, which would be replaced silently otherwise. */
export function readUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new RowProblem('it is not UTF-8')
  return bytes.toString('utf8')
}

/** The bytes of a record to be shown to a person. */
export function showBytes(bytes: Buffer): string {
  return bytes.toString('utf8', 0, MAX_SHOWN_BYTES)
}
