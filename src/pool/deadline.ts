import { onAbort } from './abort-group.ts'
import { deferred } from './deferred.ts'

/**
 * One signal for what ends a piece of work from outside: the caller's own signal, or the end of its time. The reason is
 * what the work is to reject with.
 */
export class Deadline implements Disposable {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #outer: Disposable
  readonly #timer: NodeJS.Timeout

  /** @param makeError the reason when the time is over */
  constructor(timeoutMs: number, outer: AbortSignal | undefined, makeError: () => Error) {
    outer?.throwIfAborted()
    this.signal = this.#controller.signal
    this.#timer = setTimeout(() => this.#controller.abort(makeError()), timeoutMs)
    this.#outer = onAbort(outer, (reason) => this.#controller.abort(reason))
  }

  /** What `work` gives, or at once the reason when this ends before it. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this
    // Bound: it is one: the signal aborts when the time is over.
    const ended = deferred<never>()
    using _ = onAbort(signal, (reason) => ended.reject(reason))
    return await Promise.race([work, ended.promise])
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#outer[Symbol.dispose]()
  }
}
