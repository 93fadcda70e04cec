/** Rows of a source from `first` on; `end` is not included. */
export interface RowRange {
  readonly first: number
  readonly end: number
}

/** Collects ascending rows into ranges. */
export class RowRanges {
  readonly list: { first: number; end: number }[] = []

  /** Adds rows that come after all that were added. */
  add(first: number, end = first + 1): void {
    if (first === end) return
    const last = this.list.at(-1)
    if (last?.end === first) last.end = end
    else this.list.push({ first, end })
  }
}

/** How many rows there are in ranges. */
export function countRows(ranges: readonly RowRange[]): number {
  return ranges.reduce((sum, { first, end }) => sum + end - first, 0)
}
