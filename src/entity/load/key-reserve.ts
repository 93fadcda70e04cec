/** Draws so many keys, ascending. */
export type DrawKeys = (count: number) => Promise<bigint[]>

/** Keys for the next batch of a shard, drawn on one connection while another one stores the batch before. */
export class KeyReserve {
  #ids: bigint[] = []
  #filling: Promise<void> | undefined
  #hasFailed = false

  /** Whether keys for a batch are wanted: there are none, nobody is drawing any, and the last try did not fail. */
  get isWanting(): boolean {
    return this.#filling === undefined && this.#ids.length === 0 && !this.#hasFailed
  }

  /** Draws keys for a batch to come. Never rejects: a batch that finds none draws them itself, and meets the error. */
  async fill(count: number, draw: DrawKeys): Promise<void> {
    this.#filling = draw(count).then(
      (ids) => void (this.#ids = ids),
      () => void (this.#hasFailed = true),
    )
    await this.#filling
    this.#filling = undefined
  }

  /** Keys for a batch: what is in reserve, and for the rest new ones, which are later. */
  async take(count: number, draw: DrawKeys): Promise<bigint[]> {
    await this.#filling
    this.#hasFailed = false
    const ids = this.#ids.splice(0, count)
    return ids.length === count ? ids : [...ids, ...(await draw(count - ids.length))]
  }

  /** Gives up what is in reserve: it has met with a collision, or belongs to a server that the shard has left. */
  async clear(): Promise<void> {
    await this.#filling
    this.#ids = []
  }
}
