import { AbortGroup, type Abortable } from './abort-group.ts'
import { deferred, type Deferred } from './deferred.ts'

/** How long a caller waits, and what ends the wait early. */
export interface WaitOptions {
  timeoutMs: number
  signal?: AbortSignal | undefined
  /** Makes the error of a wait that lasted too long. */
  onTimeout: (waitedMs: number) => Error
}

/**
 * One caller in a {@link WaitQueue}. It settles once: with what it waited for, with the time-out, or with the reason of
 * its signal; then its timer and its listener are gone.
 */
export class Waiter<T> implements Abortable {
  readonly promise: Promise<T>
  readonly #startedAt = performance.now()
  readonly #leave: () => void
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout | undefined
  #settle: Deferred<T> | undefined

  constructor(options: WaitOptions, leave: (waiter: Waiter<T>) => void) {
    // Bound: the timer and the signal below.
    this.#settle = deferred<T>()
    this.promise = this.#settle.promise
    this.#leave = () => leave(this)
    this.#timer = setTimeout(() => this.reject(options.onTimeout(this.waitedMs)), options.timeoutMs)
    this.#signal = options.signal
    if (this.#signal !== undefined) AbortGroup.of(this.#signal).add(this)
  }

  get waitedMs(): number {
    return Math.round(performance.now() - this.#startedAt)
  }

  resolve(value: T): void {
    this.#end()?.resolve(value)
  }

  reject(reason: unknown): void {
    this.#end()?.reject(reason)
  }

  #end(): Deferred<T> | undefined {
    const settle = this.#settle
    if (settle === undefined) return undefined
    this.#settle = undefined
    clearTimeout(this.#timer)
    if (this.#signal !== undefined) AbortGroup.of(this.#signal).delete(this)
    this.#leave()
    return settle
  }
}

/** Callers in the order of their arrival. Whoever gives up leaves the queue at once. */
export class WaitQueue<T> {
  readonly #waiters = new Set<Waiter<T>>()
  readonly #onLeave: (waiter: Waiter<T>) => void

  /** @param onLeave called once for each waiter, whatever the reason for which it leaves */
  constructor(onLeave: (waiter: Waiter<T>) => void = () => undefined) {
    this.#onLeave = onLeave
  }

  get size(): number {
    return this.#waiters.size
  }

  /** Appends a caller. The signal must not be aborted already. */
  push(options: WaitOptions): Waiter<T> {
    const waiter = new Waiter<T>(options, (left) => {
      this.#waiters.delete(left)
      this.#onLeave(left)
    })
    this.#waiters.add(waiter)
    return waiter
  }

  /** The caller that waits longest, or undefined. It stays in the queue until it settles. */
  first(): Waiter<T> | undefined {
    return this.#waiters.values().next().value
  }

  rejectAll(reason: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(reason)
  }

  [Symbol.iterator](): Iterator<Waiter<T>> {
    return this.#waiters.values()
  }
}
