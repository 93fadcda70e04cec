import type { MoveProgress } from '../../fleet/move/move-context.ts'
import { formatBytes, formatCount } from '../terminal/amounts.ts'
import type { Output } from '../terminal/output.ts'
import { describeSeconds } from '../terminal/progress-text.ts'
import { StatusLine } from '../terminal/status-line.ts'

/** Below this, rate and time left are noise. */
const MIN_ELAPSED_MS = 500

/** Shows how far a move is; each step at once. */
export class MoveProgressLine implements Disposable {
  readonly #line: StatusLine
  #step = ''
  #stepAt = 0

  constructor(output: Output) {
    this.#line = new StatusLine(output)
  }

  show(event: MoveProgress): void {
    const now = performance.now()
    const step = `${event.phase} ${event.step}`
    const isNew = step !== this.#step
    if (isNew) [this.#step, this.#stepAt] = [step, now]
    this.#line.show(describeMoveProgress(event, now - this.#stepAt), isNew)
  }

  [Symbol.dispose](): void {
    this.#line[Symbol.dispose]()
  }
}

/** `shard 5 to s3, copying: copy rows, 120,000 of 300,000 rows, 24.0 MB, 95,000/s, 2 s left`. */
export function describeMoveProgress(event: MoveProgress, elapsedMs: number): string {
  const { shardId, target, phase, step, bytes, lagBytes, retainedBytes, pauseMs } = event
  const amounts = [
    ...describeRows(event, elapsedMs),
    ...(bytes === undefined ? [] : [formatBytes(bytes)]),
    ...(lagBytes === undefined ? [] : [`${formatBytes(lagBytes)} behind`]),
    ...(retainedBytes === undefined ? [] : [`${formatBytes(retainedBytes)} of WAL kept`]),
    ...(pauseMs === undefined ? [] : [`pause ${pauseMs} ms`]),
  ]
  return [`shard ${shardId} to ${target}, ${phase}: ${step}`, ...amounts].join(', ')
}

function describeRows({ rows, rowsTotal }: MoveProgress, elapsedMs: number): string[] {
  if (rows === undefined || rows === 0) return []
  const total = rowsTotal === undefined || rowsTotal < rows ? '' : ` of about ${formatCount(rowsTotal)}`
  const counted = `${formatCount(rows)}${total} rows`
  if (elapsedMs < MIN_ELAPSED_MS) return [counted]
  const perSecond = (rows * 1_000) / elapsedMs
  const left =
    rowsTotal === undefined || rowsTotal <= rows ? [] : [`${describeSeconds((rowsTotal - rows) / perSecond)} left`]
  return [counted, `${formatCount(Math.round(perSecond))}/s`, ...left]
}
