/** What a read has given, and how large it was allowed to be. */
export interface LastRead {
  readonly wanted: number
  readonly rows: number
  /** Characters of the bodies. */
  readonly length: number
}

/** Bounds of the reads of one group of shards. */
export interface ReadLimits {
  readonly maxRows: number
  readonly maxLength: number
}

/** How much larger a read may be than the one before: bodies may differ from those that were seen. */
const GROWTH = 8

/**
 * Decides how many rows to read next: as many as are likely to fit, by the size of those that came before. A power of
 * two, so that there are few statements to prepare.
 */
export function decideReadSize({ wanted, rows, length }: LastRead, { maxRows, maxLength }: ReadLimits): number {
  const fitting = length === 0 ? maxRows : Math.floor((maxLength * rows) / length)
  return floorToPower(Math.max(1, Math.min(fitting, maxRows, wanted * GROWTH)))
}

function floorToPower(value: number): number {
  return 2 ** Math.floor(Math.log2(value))
}
