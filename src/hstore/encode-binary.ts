import type { Body } from './body.ts'
import { assertPair, assertStorableKey, assertStorableValue, listKeys } from './checks.ts'
import { assertTextLength } from './limits.ts'

/*
 * The form in which `hstore_recv` of PostgreSQL reads an hstore: number of pairs; then for each pair length and bytes of
 * the key, length and bytes of the value, -1 for null. Nothing is quoted or escaped, on either side. The rules of a body
 * are those of the text form.
 */

/** What {@link tryWriteHstore} gives when the bytes do not suffice. */
export const NO_ROOM = -1

const NULL_LENGTH = -1

/** UTF-8 takes at most so many bytes for a UTF-16 unit. */
const MAX_UNIT_BYTES = 3

/** Up to this length a loop over the characters costs less than a call of the encoder of Node.js. */
const MAX_LOOP_LENGTH = 64

/** What a pair adds to the text form besides its key and value. */
const PAIR_MARKS = 8

/** Length of the pieces in which long text is encoded. */
const PIECE_LENGTH = 0x10000

/**
 * Writes a body in binary form and returns where it ends, or {@link NO_ROOM} if it may not fit. Checks the body as
 * `encodeHstore` does.
 */
export function tryWriteHstore(body: Body, bytes: Buffer, start: number): number {
  const keys = listKeys(body)
  if (start + 4 > bytes.length) return NO_ROOM
  let at = writeLength(bytes, start, keys.length)
  for (const key of keys) {
    const value: unknown = body[key]
    assertPair(key, value)
    const units = key.length + (value === null ? 0 : value.length)
    if (at + 8 + units * MAX_UNIT_BYTES > bytes.length) return NO_ROOM
    at = writeKey(bytes, at, key)
    at = value === null ? writeLength(bytes, at, NULL_LENGTH) : writeValue(bytes, at, value, key)
  }
  return at
}

function writeKey(bytes: Buffer, at: number, key: string): number {
  const end = tryWriteAscii(bytes, at, key)
  if (end !== NO_ROOM) return end
  assertStorableKey(key)
  return writeUtf8(bytes, at, key)
}

function writeValue(bytes: Buffer, at: number, value: string, key: string): number {
  const end = tryWriteAscii(bytes, at, value)
  if (end !== NO_ROOM) return end
  assertStorableValue(value, key)
  return writeUtf8(bytes, at, value)
}

/** Most texts are short and ASCII: written by a loop that is also their check. */
function tryWriteAscii(bytes: Buffer, at: number, text: string): number {
  const { length } = text
  if (length > MAX_LOOP_LENGTH) return NO_ROOM
  const start = at + 4
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit === 0 || unit > 0x7f) return NO_ROOM
    bytes[start + index] = unit
  }
  writeLength(bytes, at, length)
  return start + length
}

function writeUtf8(bytes: Buffer, at: number, text: string): number {
  const length = bytes.write(text, at + 4)
  writeLength(bytes, at, length)
  return at + 4 + length
}

function writeLength(bytes: Buffer, at: number, length: number): number {
  bytes[at] = length >>> 24
  bytes[at + 1] = length >>> 16
  bytes[at + 2] = length >>> 8
  bytes[at + 3] = length
  return at + 4
}

/** A body in binary form, piece by piece. */
export interface HstorePieces {
  readonly byteLength: number
  readonly pieces: Iterable<Buffer>
}

/** Splits a body of any length into pieces of its binary form. Checks it whole, before the first piece is made. */
export function splitHstore(body: Body): HstorePieces {
  const pairs = listKeys(body).map((key): [string, string | null] => [key, checkPair(key, body[key])])
  assertTotalLength(pairs)
  const byteLength = pairs.reduce((sum, [key, value]) => sum + 8 + utf8Length(key) + utf8Length(value ?? ''), 4)
  return { byteLength, pieces: piecesOf(pairs) }
}

function checkPair(key: string, value: unknown): string | null {
  assertPair(key, value)
  assertStorableKey(key)
  if (value !== null) assertStorableValue(value, key)
  return value
}

function assertTotalLength(pairs: readonly [string, string | null][]): void {
  let length = 0
  for (const [key, value] of pairs) {
    length += PAIR_MARKS + key.length + (value?.length ?? 0)
    assertTextLength(length, key)
  }
}

function* piecesOf(pairs: readonly [string, string | null][]): Generator<Buffer> {
  yield lengthPiece(pairs.length)
  for (const [key, value] of pairs) {
    yield* textPieces(key)
    if (value === null) yield lengthPiece(NULL_LENGTH)
    else yield* textPieces(value)
  }
}

function* textPieces(text: string): Generator<Buffer> {
  yield lengthPiece(utf8Length(text))
  let at = 0
  while (at < text.length) {
    const end = endOfPiece(text, at)
    yield Buffer.from(text.slice(at, end))
    at = end
  }
}

/** A piece must not end between the two halves of a surrogate pair. */
function endOfPiece(text: string, start: number): number {
  const end = start + PIECE_LENGTH
  const last = text.charCodeAt(end - 1)
  return last >= 0xd800 && last <= 0xdbff ? end + 1 : end
}

function lengthPiece(length: number): Buffer {
  const piece = Buffer.allocUnsafe(4)
  writeLength(piece, 0, length)
  return piece
}

function utf8Length(text: string): number {
  return Buffer.byteLength(text)
}
