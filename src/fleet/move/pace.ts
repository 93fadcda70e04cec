/** Time that was not used is made up for only as far, and so much goes at once: longer bursts are what a limit prevents. */
const MAX_BURST_MS = 100

/** A pause that is shorter is left to the next one: timers are no more exact, and a fast copy would be slowed down by them. */
const MIN_DELAY_MS = 5

/** Says when the next bytes may go, so that on the whole no more than so many go in a second. */
export class Pace {
  readonly #bytesPerSecond: number
  #dueAtMs: number

  /** @param nowMs of the same clock as that of {@link delayOf} */
  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#dueAtMs = nowMs
  }

  /** Most bytes that should go at once. */
  get burstBytes(): number {
    return Math.ceil((this.#bytesPerSecond * MAX_BURST_MS) / 1_000)
  }

  /** How many milliseconds these bytes have to wait from now on; 0 when they may go at once. */
  delayOf(bytes: number, nowMs: number): number {
    this.#dueAtMs = Math.max(this.#dueAtMs, nowMs - MAX_BURST_MS) + (bytes * 1_000) / this.#bytesPerSecond
    const delayMs = this.#dueAtMs - nowMs
    return delayMs < MIN_DELAY_MS ? 0 : delayMs
  }
}
