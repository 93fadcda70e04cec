/** An item and the place that it was put in by. */
interface Entry<T> {
  place: bigint
  readonly item: T
}

/** A binary heap: the item with the smallest place is on top. Places may grow, and only while their item is on top. */
export class PlaceHeap<T> {
  readonly #entries: Entry<T>[] = []

  get size(): number {
    return this.#entries.length
  }

  get top(): Readonly<Entry<T>> | undefined {
    return this.#entries[0]
  }

  /** The smallest place of all items but the top. */
  get secondPlace(): bigint | undefined {
    const [, left, right] = this.#entries
    if (left === undefined || right === undefined) return left?.place
    return left.place < right.place ? left.place : right.place
  }

  /** All items, in no order. */
  items(): T[] {
    return this.#entries.map(({ item }) => item)
  }

  push(item: T, place: bigint): void {
    this.#entries.push({ item, place })
    this.#rise(this.#entries.length - 1)
  }

  /** Gives the top another place, not smaller than the one it had. */
  raiseTop(place: bigint): void {
    const [top] = this.#entries
    if (top === undefined) throw new Error('bug: an empty heap has no top')
    top.place = place
    this.#sink()
  }

  removeTop(): void {
    const last = this.#entries.pop()
    if (last === undefined || this.#entries.length === 0) return
    this.#entries[0] = last
    this.#sink()
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(): void {
    for (let at = 0; ;) {
      const child = this.#smallerChild(at)
      if (child === undefined || !this.#isBefore(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #smallerChild(parent: number): number | undefined {
    const left = 2 * parent + 1
    const right = left + 1
    if (left >= this.#entries.length) return undefined
    return right < this.#entries.length && this.#isBefore(right, left) ? right : left
  }

  #isBefore(a: number, b: number): boolean {
    return this.#at(a).place < this.#at(b).place
  }

  #swap(a: number, b: number): void {
    const entry = this.#at(a)
    this.#entries[a] = this.#at(b)
    this.#entries[b] = entry
  }

  #at(index: number): Entry<T> {
    return this.#entries[index] as Entry<T>
  }
}
