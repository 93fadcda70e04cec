import type { LoadProgress } from './load-options.ts'

/** Least time between two reports. */
const REPORT_EVERY_MS = 100

/** How many rows there are of each sort. */
type RowCounts = Pick<LoadProgress, 'rowsRead' | 'rowsDone'>

/** Counts what a load has stored and tells of it, not too often. */
export class ProgressMeter {
  readonly #onProgress: ((progress: LoadProgress) => void) | undefined
  #startedAt: number | undefined
  #stoppedAt: number | undefined
  #reportedAt = -Infinity
  #rows = 0
  #bytes = 0
  #batches = 0

  constructor(onProgress: ((progress: LoadProgress) => void) | undefined) {
    this.#onProgress = onProgress
  }

  start(): void {
    this.#startedAt = performance.now()
  }

  stop(): void {
    this.#stoppedAt = performance.now()
  }

  add(rows: number, bytes: number): void {
    this.#rows += rows
    this.#bytes += bytes
    this.#batches += 1
  }

  read({ rowsRead, rowsDone }: RowCounts, bufferedBytes: number): LoadProgress {
    const now = this.#stoppedAt ?? performance.now()
    const elapsedMs = now - (this.#startedAt ?? now)
    const ratePerSecond = elapsedMs === 0 ? 0 : (this.#rows * 1000) / elapsedMs
    const [rows, bytes, batches] = [this.#rows, this.#bytes, this.#batches]
    return { rowsRead, rowsDone, bufferedBytes, rows, bytes, batches, elapsedMs, ratePerSecond }
  }

  /** Reports, unless that was done a moment ago and this is not the last time. */
  report(progress: LoadProgress, isLast: boolean): void {
    const now = performance.now()
    if (this.#onProgress === undefined || (!isLast && now - this.#reportedAt < REPORT_EVERY_MS)) return
    this.#reportedAt = now
    this.#onProgress(progress)
  }
}
