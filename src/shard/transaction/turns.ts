/** Lets one piece of work go on at a time, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Resolves when nobody works and nobody waits. */
  async whenIdle(): Promise<void> {
    for (let last: unknown; last !== this.#last;) {
      last = this.#last
      await last
    }
  }
}
