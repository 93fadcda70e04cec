import { formatBytes, formatCount } from '../terminal/amounts.ts'
import type { Output } from '../terminal/output.ts'
import { describeSeconds, drawBar } from '../terminal/progress-text.ts'
import { StatusLine } from '../terminal/status-line.ts'

/** How far a file is. */
export interface TransferReading {
  readonly rows: number
  readonly rejected?: number
  /** How much is done of `total`, in whatever unit it has. */
  readonly done: number
}

/** What tells how much there is in all; without it there is no time left to tell. */
export interface TransferTotal {
  readonly total: number
  readonly unit: 'bytes' | 'rows'
}

/** Below this, rate and time left are noise. */
const MIN_ELAPSED_MS = 500

/** Shows how far an import or an export is. What was done before it went on counts for neither rate nor time left. */
export class TransferProgress implements Disposable {
  readonly #line: StatusLine
  #total: TransferTotal | undefined
  readonly #startedAt = performance.now()
  #first: TransferReading | undefined

  constructor(output: Output, total: TransferTotal | undefined) {
    this.#line = new StatusLine(output)
    this.#total = total
  }

  /** Learns how much there is in all. */
  know(total: TransferTotal): void {
    this.#total = total
  }

  show(reading: TransferReading): void {
    this.#first ??= reading
    const elapsedMs = performance.now() - this.#startedAt
    this.#line.show(describeTransfer(reading, { first: this.#first, total: this.#total, elapsedMs }))
  }

  [Symbol.dispose](): void {
    this.#line[Symbol.dispose]()
  }
}

/** `███░ 48,211 rows, 3 rejected, 12.3 MB of 45.6 MB, 9,000/s, 7 s left`. */
export function describeTransfer(
  reading: TransferReading,
  ground: { readonly first: TransferReading; readonly total: TransferTotal | undefined; readonly elapsedMs: number },
): string {
  const { rows, rejected = 0, done } = reading
  const { first, total, elapsedMs } = ground
  const speed = elapsedMs < MIN_ELAPSED_MS || rows === first.rows ? [] : [`${rateOf(rows - first.rows, elapsedMs)}/s`]
  const parts = [
    `${formatCount(rows)} rows`,
    ...(rejected > 0 ? [`${formatCount(rejected)} rejected`] : []),
    ...(total === undefined ? [] : [describeAmount(done, total)]),
    ...speed,
    ...(total === undefined ? [] : describeTimeLeft(done, first.done, total.total, elapsedMs)),
  ].join(', ')
  return total === undefined ? parts : `${drawBar({ done, total: total.total, elapsedMs })} ${parts}`
}

function describeAmount(done: number, { total, unit }: TransferTotal): string {
  return unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : `of about ${formatCount(total)}`
}

function rateOf(rows: number, elapsedMs: number): string {
  return formatCount(Math.round((rows * 1_000) / elapsedMs))
}

function describeTimeLeft(done: number, first: number, total: number, elapsedMs: number): string[] {
  if (elapsedMs < MIN_ELAPSED_MS || done === first || done >= total) return []
  return [`${describeSeconds(((total - done) * elapsedMs) / (done - first) / 1_000)} left`]
}
