import { AbortGroup, type Abortable } from '../../pool/abort-group.ts'

/** What a caller has asked a lane for. Settles once; afterwards everything that happens to it is ignored. */
export class Operation<Input, Output, Cargo> implements Abortable {
  readonly input: Input
  /** What is sent for the input. */
  readonly cargo: Cargo
  readonly startedAt = performance.now()
  /** Set when it was sent and came back without having been done. */
  wasRetried = false
  /** Ends the wait of the caller. */
  readonly signal: AbortSignal | undefined
  readonly #resolve: (output: Output) => void
  readonly #reject: (reason: unknown) => void
  #isSettled = false

  constructor(
    input: Input,
    cargo: Cargo,
    signal: AbortSignal | undefined,
    resolve: (output: Output) => void,
    reject: (reason: unknown) => void,
  ) {
    this.input = input
    this.cargo = cargo
    this.#resolve = resolve
    this.#reject = reject
    this.signal = signal
    if (signal !== undefined) AbortGroup.of(signal).add(this)
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  resolve(output: Output): void {
    if (this.#settle()) this.#resolve(output)
  }

  reject(reason: unknown): void {
    if (this.#settle()) this.#reject(reason)
  }

  /** Rejects it if it has waited as long as it may; tells whether it is settled. */
  expire(waitTimeoutMs: number, timeoutError: (waitedMs: number) => Error): boolean {
    // Rounded, because a timer may be early by less than a millisecond.
    const waitedMs = Math.round(performance.now() - this.startedAt)
    if (!this.#isSettled && waitedMs >= waitTimeoutMs) this.reject(timeoutError(waitedMs))
    return this.#isSettled
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    if (this.signal !== undefined) AbortGroup.of(this.signal).delete(this)
    return true
  }
}
