import type { KeptRow } from '../../entity/load/batch.ts'

/** What is remembered of a row that a load has read and not stored. */
export interface RegisteredRow {
  readonly record: number
  readonly line: number
  readonly shardId: number
  readonly kind: number
  readonly bytes: number
  /** What it was before; undefined if it gets a new key. */
  readonly kept: KeptRow | undefined
}

/** The rows between the oldest that a load has not stored and the newest. A row is known by its place in the load. */
export class RowRegister {
  readonly #size: number
  readonly #records: Float64Array
  readonly #lines: Float64Array
  readonly #shardIds: Uint16Array
  readonly #kinds: Int16Array
  readonly #bytes: Float64Array
  readonly #kept: (KeptRow | undefined)[]
  #count = 0

  /** @param window most rows that a load holds at once */
  constructor(window: number) {
    this.#size = window + 1
    this.#records = new Float64Array(this.#size)
    this.#lines = new Float64Array(this.#size)
    this.#shardIds = new Uint16Array(this.#size)
    this.#kinds = new Int16Array(this.#size)
    this.#bytes = new Float64Array(this.#size)
    this.#kept = []
  }

  /** How many rows were entered so far. */
  get count(): number {
    return this.#count
  }

  /** Enters the next row. */
  enter({ record, line, shardId, kind, bytes, kept }: RegisteredRow): void {
    const at = this.#count % this.#size
    this.#records[at] = record
    this.#lines[at] = line
    this.#shardIds[at] = shardId
    this.#kinds[at] = kind
    this.#bytes[at] = bytes
    this.#kept[at] = kept
    this.#count += 1
  }

  recordOf(row: number): number {
    return this.#records[this.#placeOf(row)] as number
  }

  lineOf(row: number): number {
    return this.#lines[this.#placeOf(row)] as number
  }

  shardIdOf(row: number): number {
    return this.#shardIds[this.#placeOf(row)] as number
  }

  kindOf(row: number): number {
    return this.#kinds[this.#placeOf(row)] as number
  }

  /** What a row was before that keeps its key. */
  keptOf(row: number): KeptRow {
    return this.#kept[this.#placeOf(row)] as KeptRow
  }

  /** Bytes of the input that were read when the row was. */
  bytesOf(row: number): number {
    return this.#bytes[this.#placeOf(row)] as number
  }

  #placeOf(row: number): number {
    const isKnown = row < this.#count && row >= this.#count - this.#size
    if (!isKnown) throw new Error(`bug: row ${row} is not among the last ${this.#size} of ${this.#count}`)
    return row % this.#size
  }
}
