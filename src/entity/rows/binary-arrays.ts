/*
 * Arrays in PostgreSQL's binary format, which needs no escaping on either side: number of dimensions, a flag for nulls,
 * the element type; length and lower bound of the dimension; then each element with its length before it.
 */

const HEADER_BYTES = 20
const INT2_OID = 21
const INT8_OID = 20
const TEXT_OID = 25

/** A `bigint[]` parameter. */
export function encodeInt8Array(values: readonly bigint[]): Buffer {
  const buffer = allocate(INT8_OID, values.length, values.length * 12)
  let at = HEADER_BYTES
  for (const value of values) {
    buffer.writeInt32BE(8, at)
    buffer.writeBigInt64BE(value, at + 4)
    at += 12
  }
  return buffer
}

/** A `smallint[]` parameter. */
export function encodeInt2Array(values: readonly number[]): Buffer {
  const buffer = allocate(INT2_OID, values.length, values.length * 6)
  let at = HEADER_BYTES
  for (const value of values) {
    buffer.writeInt32BE(2, at)
    buffer.writeInt16BE(value, at + 4)
    at += 6
  }
  return buffer
}

/** A `text[]` parameter. */
export function encodeTextArray(values: readonly string[]): Buffer {
  const bytes = values.reduce((sum, value) => sum + 4 + Buffer.byteLength(value), 0)
  const buffer = allocate(TEXT_OID, values.length, bytes)
  let at = HEADER_BYTES
  for (const value of values) {
    const length = buffer.write(value, at + 4)
    buffer.writeInt32BE(length, at)
    at += 4 + length
  }
  return buffer
}

function allocate(elementOid: number, count: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + bytes)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(0, 4)
  buffer.writeInt32BE(elementOid, 8)
  buffer.writeInt32BE(count, 12)
  buffer.writeInt32BE(1, 16)
  return buffer
}
