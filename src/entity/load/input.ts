import { setImmediate } from 'node:timers/promises'
import type { Deferred } from '../../pool/deferred.ts'
import { deferred } from '../../pool/deferred.ts'
import { within } from '../../pool/within.ts'
import type { LoadSource } from './load-options.ts'

/** Rows that are taken in one go before sockets and timers have their turn. */
const SLICE = 256

/** Longest wait for a source that cleans up. */
const CLOSE_PATIENCE_MS = 2_000

/** What became of a slice: more may come, or the source has ended. */
export type SliceEnd = 'more' | 'ended'

/** Takes rows from a source in slices. */
export interface Input {
  /** Hands rows to `take` until it returns false, at most a slice. Throws what the source throws. */
  readSlice(take: (row: unknown) => boolean): Promise<SliceEnd>
  /** Ends a slice that waits for the source. */
  interrupt(): void
  /** Tells the source that no more is wanted. Waits a while for it to clean up, unless it is busy with a row. */
  close(): Promise<void>
}

/** The input for a source of either kind. */
export function openInput(source: LoadSource): Input {
  if (Symbol.asyncIterator in source) return new AsyncInput(source[Symbol.asyncIterator]())
  return new SyncInput(source[Symbol.iterator]())
}

class SyncInput implements Input {
  readonly #rows: Iterator<unknown>

  constructor(rows: Iterator<unknown>) {
    this.#rows = rows
  }

  async readSlice(take: (row: unknown) => boolean): Promise<SliceEnd> {
    for (let count = 0; count < SLICE; count += 1) {
      const result: IteratorResult<unknown> = this.#rows.next()
      if (result.done === true) return 'ended'
      if (!take(result.value)) break
    }
    await setImmediate()
    return 'more'
  }

  interrupt(): void {
    // Never waits.
  }

  close(): Promise<void> {
    this.#rows.return?.()
    return Promise.resolve()
  }
}

class AsyncInput implements Input {
  readonly #rows: AsyncIterator<unknown>
  #waiting: Deferred<IteratorResult<unknown> | undefined> | undefined
  #isInterrupted = false

  constructor(rows: AsyncIterator<unknown>) {
    this.#rows = rows
  }

  async readSlice(take: (row: unknown) => boolean): Promise<SliceEnd> {
    for (let count = 0; count < SLICE; count += 1) {
      const result = await this.#next()
      if (result === undefined) return 'more'
      if (result.done === true) return 'ended'
      if (!take(result.value)) break
    }
    await setImmediate()
    return 'more'
  }

  interrupt(): void {
    this.#isInterrupted = true
    this.#waiting?.resolve(undefined)
  }

  async close(): Promise<void> {
    const isBusy = this.#waiting !== undefined
    const closing = Promise.resolve<unknown>(this.#rows.return?.()).catch(() => undefined)
    // A generator that is still busy with a row is closed by that when it gets to it.
    if (!isBusy) await within(closing, { signal: undefined, timeoutMs: CLOSE_PATIENCE_MS }, () => undefined)
  }

  #next(): Promise<IteratorResult<unknown> | undefined> {
    if (this.#isInterrupted) return Promise.resolve(undefined)
    // Bound: interrupt(), which the signal of the load calls. The source is the caller's.
    const waiting = deferred<IteratorResult<unknown> | undefined>()
    this.#waiting = waiting
    const settled = (): void => void (this.#waiting = undefined)
    this.#rows.next().then(
      (result) => (settled(), waiting.resolve(result)),
      (error: unknown) => (settled(), waiting.reject(error)),
    )
    return waiting.promise
  }
}
