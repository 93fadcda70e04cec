/** Writes numbers one after the other. */
export class ByteWriter {
  readonly #parts: Buffer[] = []

  bytes(part: Buffer): this {
    this.#parts.push(part)
    return this
  }

  /** Eight bytes, big-endian. */
  uint64(value: bigint): this {
    const part = Buffer.alloc(8)
    part.writeBigUInt64BE(value)
    return this.bytes(part)
  }

  /** A small number: seven bits in each byte, the lowest ones first, the top bit says that more follow. */
  varint(value: number): this {
    const part: number[] = []
    for (let rest = value; ; rest >>>= 7) {
      if (rest < 0x80) return this.bytes(Buffer.from([...part, rest]))
      part.push((rest & 0x7f) | 0x80)
    }
  }

  end(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** Reads what {@link ByteWriter} has written; a RangeError where there is nothing more. */
export class ByteReader {
  readonly #source: Buffer
  #at = 0

  constructor(source: Buffer) {
    this.#source = source
  }

  get isAtEnd(): boolean {
    return this.#at === this.#source.length
  }

  uint64(): bigint {
    this.#at += 8
    return this.#source.readBigUInt64BE(this.#at - 8)
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#source.readUInt8(this.#at)
      this.#at += 1
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a number of more than 28 bits')
  }
}
