import type { Entity } from '../rows/entity.ts'
import type { ScanPage } from './scan-page.ts'

/**
 * The entities of pages, one by one. It does by hand what a generator would do: that spares the promises that one makes for
 * each entity, which cost as much as reading it.
 */
export class EntityIterator implements AsyncIterableIterator<Entity, void, undefined> {
  readonly #pages: AsyncGenerator<ScanPage, void, undefined>
  /** What was given is let go of at once: in a list that has grown old it would live on until that is collected. */
  #entities: (Entity | undefined)[] = []
  #at = 0
  /** The end of the last call that could not be answered at once: calls are answered in their order. */
  #turning: Promise<unknown> | undefined

  constructor(pages: AsyncGenerator<ScanPage, void, undefined>) {
    this.#pages = pages
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Entity, void>> {
    const value = this.#turning === undefined ? this.#entities[this.#at] : undefined
    if (value === undefined) return this.#queue(() => this.#next())
    this.#entities[this.#at] = undefined
    this.#at += 1
    return { value, done: false }
  }

  /** Ends the scan: what is being read is given up. */
  return(): Promise<IteratorResult<Entity, void>> {
    return this.#queue(async () => {
      this.#entities = []
      await this.#pages.return()
      return { value: undefined, done: true }
    })
  }

  async #next(): Promise<IteratorResult<Entity, void>> {
    while (this.#at >= this.#entities.length) {
      const page = await this.#pages.next()
      if (page.done === true) return { value: undefined, done: true }
      // Nobody else has the page, so its list can be emptied.
      this.#entities = (page.value.entities as Entity[]).splice(0)
      this.#at = 0
    }
    const value = this.#entities[this.#at] as Entity
    this.#entities[this.#at] = undefined
    this.#at += 1
    return { value, done: false }
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turning === undefined ? work() : this.#turning.then(work, work)
    const turning = turn.then(ignore, ignore).then(() => {
      if (this.#turning === turning) this.#turning = undefined
    })
    this.#turning = turning
    return turn
  }
}

function ignore(): void {
  // Who called hears of it.
}
