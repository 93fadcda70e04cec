import { Key } from '../../key/key.ts'
import type { LoadAccount } from './ledger.ts'
import type { LoadProgress } from './load-options.ts'
import type { Loader } from './loader.ts'

/** Most keys that are made in one go. */
const CHUNK = 1_024

/**
 * A load: gives the keys of the rows in the order of the source, each when its row and all before it are committed. Nothing is
 * read before the first key is asked for, and the source waits when keys are not taken.
 *
 * Leaving the loop ends the load: what is being written is given up, and its connections are closed.
 *
 * @example
 * for await (const key of db.load(1, rows, { shardOf: (body) => db.shardFor(body.country) })) index.add(key)
 * const { rows } = await db.load(1, others, { shardOf }).finish()   // who wants no keys
 */
export class Load implements AsyncIterable<Key>, AsyncDisposable {
  readonly #loader: Loader
  readonly #epochMs: number

  constructor(loader: Loader, epochMs: number) {
    this.#loader = loader
    this.#epochMs = epochMs
  }

  /** How far the load is. */
  get progress(): LoadProgress {
    return this.#loader.progress
  }

  /** What became of the rows that were read: exact once the load is over, also when it was left early. */
  account(): LoadAccount {
    return this.#loader.account()
  }

  /**
   * The keys, one by one.
   *
   * @throws `HV_LOAD_FAILED` after the last key that can be given in order; TypeError the second time
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Key, void, undefined> {
    for await (const keys of this.chunks()) for (const key of keys) yield key
  }

  /** The keys as they come, at most 1,024 together: costs less than one by one. Throws what the iteration throws. */
  async *chunks(): AsyncGenerator<Key[], void, undefined> {
    this.#loader.begin()
    try {
      for (;;) {
        const ids = await this.#loader.next(CHUNK)
        if (ids.length === 0) return
        yield ids.map((id) => new Key(id, this.#epochMs))
      }
    } finally {
      await this.#loader.stop()
    }
  }

  /** Stores all rows, drops the keys, and resolves to the totals. Throws what the iteration throws. */
  async finish(): Promise<LoadProgress> {
    const chunks = this.chunks()
    while ((await chunks.next()).done !== true);
    return this.progress
  }

  /** After a failure: the rows that are stored and whose keys the iteration could not give in order. */
  *untaken(): Generator<[row: number, key: Key], void, undefined> {
    for (const [row, id] of this.#loader.untaken()) yield [row, new Key(id, this.#epochMs)]
  }

  /** Ends the load, and waits until nothing is going on any more. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#loader.stop()
  }
}
