import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const pack = promisify(gzip)

/** Text that goes on together. Packed files are made of such parts, one behind the other, so that they can be cut between two. */
const PART_BYTES = 1024 * 1024

/** Gathers text into parts, and packs them if that is wanted. */
export class PackedParts {
  readonly #isPacked: boolean
  readonly #give: (bytes: Buffer) => Promise<void>
  #waiting: Buffer[] = []
  #waitingBytes = 0

  /** @param give takes the bytes of a part; the next comes when its promise resolves */
  constructor(isPacked: boolean, give: (bytes: Buffer) => Promise<void>) {
    this.#isPacked = isPacked
    this.#give = give
  }

  async write(text: Buffer): Promise<void> {
    this.#waiting.push(text)
    this.#waitingBytes += text.length
    if (this.#waitingBytes >= PART_BYTES) await this.flush()
  }

  /** Gives on what waits. */
  async flush(): Promise<void> {
    if (this.#waitingBytes === 0) return
    const text = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    await this.#give(this.#isPacked ? await pack(text) : text)
  }
}
