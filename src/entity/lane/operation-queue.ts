import { Fifo } from '../../pool/fifo.ts'
import { Operation } from './operation.ts'

/** What waits outside of a queue, and has the same time. */
export interface OtherWaiters {
  /** When the one that has waited longest came; undefined if none waits. */
  oldestStartedAt(): number | undefined
  /** Lets go of those whose time is over. */
  expire(): void
}

/** How long operations wait in a queue, and what becomes of them then. */
export interface QueueTerms {
  readonly waitTimeoutMs: number
  /** Makes the error of one that has waited too long. */
  readonly timeoutError: (waitedMs: number) => Error
  readonly others?: OtherWaiters
}

/**
 * Operations that wait to be sent, in the order of their coming. Each ends by its signal, or when it has waited for
 * `waitTimeoutMs`: all have the same time, so one timer for the oldest is enough.
 */
export class OperationQueue<Input, Output, Cargo> {
  readonly #terms: QueueTerms
  readonly #waiting = new Fifo<Operation<Input, Output, Cargo>>()
  #timer: NodeJS.Timeout | undefined

  constructor(terms: QueueTerms) {
    this.#terms = terms
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Queues an operation; `watch()` is to follow. Rejects with the reason of the signal, or when its time is over. */
  enter(input: Input, cargo: () => Cargo, signal: AbortSignal | undefined): Promise<Output> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    // Bound: the signal, and the timer of watch().
    return new Promise((resolve, reject) => {
      this.#waiting.push(new Operation(input, cargo(), signal, resolve, reject))
    })
  }

  /** Queues an operation that has waited elsewhere before. */
  push(operation: Operation<Input, Output, Cargo>): void {
    this.#waiting.push(operation)
  }

  peek(): Operation<Input, Output, Cargo> | undefined {
    return this.#waiting.peek()
  }

  shift(): Operation<Input, Output, Cargo> | undefined {
    return this.#waiting.shift()
  }

  /** Takes all out. */
  drain(): Operation<Input, Output, Cargo>[] {
    return this.#waiting.drain()
  }

  /** Makes sure that those who wait are let go of in time. */
  watch(): void {
    if (this.#timer !== undefined) return
    const { waitTimeoutMs, others } = this.#terms
    const startedAt = this.#waiting.peek()?.startedAt ?? others?.oldestStartedAt()
    if (startedAt === undefined) return
    const leftMs = startedAt + waitTimeoutMs - performance.now()
    this.#timer = setTimeout(() => this.expire(), Math.max(0, leftMs)).unref()
  }

  /** Lets go of those whose time is over. */
  expire(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (let next = this.#waiting.peek(); next !== undefined && this.isOver(next); next = this.#waiting.peek()) {
      this.#waiting.shift()
    }
    this.#terms.others?.expire()
    this.watch()
  }

  /** Whether an operation needs nothing any more; rejects it if it has waited too long. */
  isOver(operation: Operation<Input, Output, Cargo>): boolean {
    return operation.expire(this.#terms.waitTimeoutMs, this.#terms.timeoutError)
  }
}
