import { deferred, type Deferred } from '../../pool/deferred.ts'

/** Wakes everybody who waits for a change. What a waiter waits for it must look up again. */
export class Notice {
  #next: Deferred<void> | undefined

  wait(): Promise<void> {
    // Bound: whoever waits is woken by the end of the load too.
    return (this.#next ??= deferred<void>()).promise
  }

  notify(): void {
    this.#next?.resolve()
    this.#next = undefined
  }
}
