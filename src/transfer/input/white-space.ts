/** Tells white space as JSON knows it: space, tab, line feed, carriage return. */
export function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}

/** The bytes without white space around them. */
export function trimBytes(bytes: Buffer): Buffer {
  let start = 0
  let end = bytes.length
  while (start < end && isWhiteSpace(bytes[start])) start += 1
  while (start < end && isWhiteSpace(bytes[end - 1])) end -= 1
  return bytes.subarray(start, end)
}
