import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { MalformedInput } from './malformed-input.ts'
import { peek } from './peeked.ts'

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]

/** How a gzip file begins. */
const GZIP_MARK = Buffer.from([0x1f, 0x8b])

/**
 * The text of an input, as bytes: unpacked if it is gzip, whatever its name, and without a byte order mark.
 *
 * @throws MalformedInput for UTF-16, and for gzip that is cut off or damaged
 */
export async function* decodeInput(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const { head, all } = await peek(input, GZIP_MARK.length)
  yield* withoutMark(isPacked(head) ? gunzip(all) : all)
}

/** Tells gzip by its first bytes. */
export function isPacked(head: Buffer): boolean {
  return startsWith(head, GZIP_MARK)
}

async function* withoutMark(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const { head, all } = await peek(input, UTF8_MARK.length)
  let skip = startsWith(head, UTF8_MARK) ? UTF8_MARK.length : 0
  for await (const chunk of all) {
    if (UTF16_MARKS.some((mark) => startsWith(head, mark))) throw new MalformedInput('it is UTF-16, not UTF-8')
    yield chunk.subarray(skip)
    skip = 0
  }
}

/** Several gzip files one behind the other are one. */
async function* gunzip(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const unpacker = createGunzip()
  const feeding = pipeline(Readable.from(input, { objectMode: false }), unpacker)
  feeding.catch(() => undefined)
  try {
    for await (const chunk of unpacker) yield chunk as Buffer
  } catch (error) {
    throw describeGzip(error)
  }
}

/** Of what zlib says its code tells whether it is about the packed bytes; other errors come from the input. */
function describeGzip(error: unknown): unknown {
  const { code } = Object(error) as { code?: unknown }
  if (code === 'Z_BUF_ERROR') return new MalformedInput('its gzip ends too early')
  return typeof code === 'string' && code.startsWith('Z_') ? new MalformedInput('its gzip is damaged') : error
}

function startsWith(bytes: Buffer, mark: Buffer): boolean {
  return bytes.subarray(0, mark.length).equals(mark)
}
