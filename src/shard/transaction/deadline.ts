import { deferred } from '../../pool/deferred.ts'

/**
 * One signal for what ends a piece of work from outside: the caller's own signal, or the end of its time. The reason is
 * what the work is to reject with.
 */
export class Deadline implements Disposable {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout

  /** @param makeError the reason when the time is over */
  constructor(timeoutMs: number, outer: AbortSignal | undefined, makeError: () => Error) {
    outer?.throwIfAborted()
    this.signal = this.#controller.signal
    this.#outer = outer
    this.#timer = setTimeout(() => this.#controller.abort(makeError()), timeoutMs)
    outer?.addEventListener('abort', this, { once: true })
  }

  /** Called by the caller's signal. */
  handleEvent(): void {
    this.#controller.abort(this.#outer?.reason)
  }

  /** What `work` gives, or at once the reason when this ends before it. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this
    const ended = deferred<never>()
    const onAbort = (): void => ended.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      return await Promise.race([work, ended.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this)
  }
}
