/** Bytes that come in parts, up to a bound: what is beyond it is dropped. */
export class ByteParts {
  readonly #bound: number
  #parts: Buffer[] = []
  #length = 0

  constructor(bound: number) {
    this.#bound = bound
  }

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** True when something was dropped. */
  get isOverfull(): boolean {
    return this.#length > this.#bound
  }

  add(part: Buffer): void {
    if (part.length === 0) return
    if (!this.isOverfull) this.#parts.push(part)
    this.#length += part.length
  }

  /** All of them as one, from which it begins anew. */
  take(): Buffer {
    const [first = Buffer.alloc(0)] = this.#parts
    const all = this.#parts.length <= 1 ? first : Buffer.concat(this.#parts)
    this.#parts = []
    this.#length = 0
    return all
  }
}
