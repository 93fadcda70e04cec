/** The part of `process` that hears signals. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown
  off(signal: NodeJS.Signals, listener: () => void): unknown
}

const LONG_MS = 2 ** 30

const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Hears that a command that runs until it is stopped is to stop: Ctrl-C, a polite kill, a closed terminal, or nobody
 * reading any more. Only the first request is caught: a second Ctrl-C ends the program at once, as it does anywhere.
 */
export class StopRequest implements Disposable {
  readonly signal: AbortSignal
  readonly #source: SignalSource
  readonly #controller = new AbortController()
  readonly #stop = (): void => {
    this.#controller.abort()
    // Not at once: what restores the cursor ends the program when it finds itself the only listener of this signal.
    setImmediate(() => this[Symbol.dispose]())
  }

  constructor(source: SignalSource, closed: AbortSignal) {
    this.#source = source
    this.signal = AbortSignal.any([this.#controller.signal, closed])
    signals.forEach((signal) => source.on(signal, this.#stop))
  }

  /** Resolves at the request. */
  async wait(): Promise<void> {
    if (this.signal.aborted) return
    // Listening for signals does not keep Node.js alive; a timer does.
    const keepAlive = setInterval(() => undefined, LONG_MS)
    // Bound: it waits for the signal itself.
    await new Promise((resolve) => this.signal.addEventListener('abort', resolve, { once: true }))
    clearInterval(keepAlive)
  }

  [Symbol.dispose](): void {
    signals.forEach((signal) => this.#source.off(signal, this.#stop))
  }
}
