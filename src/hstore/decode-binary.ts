import type { Body } from './body.ts'

/** Reads the binary form of an hstore as this package writes it. */
export function decodeBinaryHstore(bytes: Buffer): Body {
  const pairs: [string, string | null][] = []
  for (let at = 4; at < bytes.length;) {
    const key = readText(bytes, at)
    const value = readText(bytes, key.end)
    pairs.push([key.text as string, value.text])
    at = value.end
  }
  return Object.fromEntries(pairs)
}

/** A text with its length in front of it, -1 for null. */
function readText(bytes: Buffer, at: number): { readonly text: string | null; readonly end: number } {
  const length = bytes.readInt32BE(at)
  if (length < 0) return { text: null, end: at + 4 }
  return { text: bytes.toString('utf8', at + 4, at + 4 + length), end: at + 4 + length }
}
