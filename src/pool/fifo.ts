/** First in, first out, without moving what waits. Room behind the head is given back now and then. */
export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** The item that waits longest; it stays. */
  peek(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined as T
    this.#head += 1
    if (this.#head === this.#items.length) this.#clear()
    else if (this.#head > 1_024 && this.#head * 2 > this.#items.length) this.#compact()
    return item
  }

  /** Takes all items out. */
  drain(): T[] {
    const items = this.#items.slice(this.#head)
    this.#clear()
    return items
  }

  #clear(): void {
    this.#items = []
    this.#head = 0
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }
}
