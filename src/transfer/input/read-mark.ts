import { crc32 } from 'node:zlib'

/** The beginning of an input: how long it is, and its CRC-32. Two inputs with the same mark begin with the same bytes. */
export interface ReadMark {
  readonly bytes: number
  readonly crc: number
}

/** Measures an input while it is read, as it lies on the disk. */
export class ReadMeter {
  #bytes = 0
  #crc = 0

  /** All that was read so far. */
  get mark(): ReadMark {
    return { bytes: this.#bytes, crc: this.#crc }
  }

  add(bytes: Buffer): void {
    this.#bytes += bytes.length
    this.#crc = crc32(bytes, this.#crc)
  }
}

/**
 * Gives the bytes of an input on while it measures them, but only as long as they go by the marks.
 *
 * @param marks how the input was before, ascending
 * @param changed makes the error for an input that is otherwise, or ends earlier
 */
export async function* measure(
  input: AsyncIterable<Buffer>,
  meter: ReadMeter,
  marks: readonly ReadMark[],
  changed: () => Error,
): AsyncGenerator<Buffer, void, undefined> {
  const left = marks.filter(({ bytes }) => bytes > 0)
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length;) {
      const end = left[0] === undefined ? chunk.length : at + left[0].bytes - meter.mark.bytes
      const part = chunk.subarray(at, end)
      meter.add(part)
      if (left[0]?.bytes === meter.mark.bytes && left.shift()?.crc !== meter.mark.crc) throw changed()
      yield part
      at += part.length
    }
  }
  if (left.length > 0) throw changed()
}
