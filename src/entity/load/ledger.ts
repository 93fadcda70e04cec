import { RowRanges, type RowRange } from './row-ranges.ts'

/** What became of the rows of a source. */
export interface LoadAccount {
  /** Rows taken from the source; nothing is known of those after them. */
  readonly rowsRead: number
  /** With those that were refused and told to `onRefused`: they are done as well. */
  readonly stored: readonly RowRange[]
  readonly notStored: readonly RowRange[]
  /** Rows whose transaction was cut off in its commit, and whose server could not be asked. */
  readonly unknown: readonly RowRange[]
}

/** Entries of rows that have left are given back when there are so many. */
const COMPACT_AT = 16_384

/** In the place of the id of a row that has none. */
const REFUSED = Symbol('refused')

/**
 * Which rows were read, which are stored, and under which id. It holds the rows between the oldest whose id has not been
 * taken and the newest; all before are stored.
 */
export class Ledger {
  #ids: (bigint | typeof REFUSED | undefined)[] = []
  /** Index in `#ids` of the oldest row that has not been taken. */
  #head = 0
  /** Row of `#ids[0]`. */
  #base = 0
  readonly #unknown = new Set<number>()

  get rowsRead(): number {
    return this.#base + this.#ids.length
  }

  /** Rows from the first on whose ids have been taken, or that were refused in between. */
  get rowsDone(): number {
    return this.#base + this.#head
  }

  /** Rows that were read and whose ids have not been taken. */
  get size(): number {
    return this.#ids.length - this.#head
  }

  /** Enters a row that was read, and returns its place in the source. */
  enter(): number {
    return this.#base + this.#ids.push(undefined) - 1
  }

  /** Notes that rows are stored, each with its id. */
  store(rows: readonly number[], ids: readonly bigint[]): void {
    rows.forEach((row, index) => (this.#ids[row - this.#base] = ids[index]))
  }

  /** Notes that the load goes on without a row. */
  refuse(row: number): void {
    this.#ids[row - this.#base] = REFUSED
  }

  /** Notes that nobody knows whether rows are stored. */
  doubt(rows: readonly number[]): void {
    for (const row of rows) this.#unknown.add(row)
  }

  /** Takes the ids of the oldest rows, in order, as far as they are stored. */
  take(most: number): bigint[] {
    const taken: bigint[] = []
    for (let id = this.#ids[this.#head]; id !== undefined && taken.length < most; id = this.#ids[this.#head]) {
      if (id !== REFUSED) taken.push(id)
      this.#head += 1
    }
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#ids.length) this.#compact()
    return taken
  }

  /** Rows that are stored and whose ids have not been taken. */
  *untaken(): Generator<[row: number, id: bigint]> {
    for (let index = this.#head; index < this.#ids.length; index += 1) {
      const id = this.#ids[index]
      if (typeof id === 'bigint') yield [this.#base + index, id]
    }
  }

  account(): LoadAccount {
    const [stored, notStored, unknown] = [new RowRanges(), new RowRanges(), new RowRanges()]
    stored.add(0, this.rowsDone)
    for (let row = this.rowsDone; row < this.rowsRead; row += 1) {
      if (this.#ids[row - this.#base] !== undefined) stored.add(row)
      else if (this.#unknown.has(row)) unknown.add(row)
      else notStored.add(row)
    }
    return { rowsRead: this.rowsRead, stored: stored.list, notStored: notStored.list, unknown: unknown.list }
  }

  #compact(): void {
    this.#ids = this.#ids.slice(this.#head)
    this.#base += this.#head
    this.#head = 0
  }
}
