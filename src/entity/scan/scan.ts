import type { Entity } from '../rows/entity.ts'
import { EntityIterator } from './entity-iterator.ts'
import type { MissingShard, ScanPage } from './scan-page.ts'
import type { ScanRun } from './scan-run.ts'

/**
 * A scan: entities of many shards in the order of their creation. Iterate over it for the entities, or over its
 * {@link pages}. Nothing is read before the first is asked for, and no more than a few pages ahead.
 *
 * Leaving the loop ends the scan: what is being read is given up.
 *
 * @example
 * for await (const entity of db.scan({ kind: 1, order: 'desc' })) show(entity)
 * for await (const { entities, cursor } of db.scan({ kind: 1 }).pages()) await save(entities, cursor)
 */
export class Scan implements AsyncIterable<Entity>, AsyncDisposable {
  readonly #run: ScanRun
  #isBegun = false

  constructor(run: ScanRun) {
    this.#run = run
  }

  /** The shards that have been left out so far, ascending; with `onShardError: 'throw'` none. */
  get missingShards(): readonly MissingShard[] {
    return this.#run.missingShards
  }

  /** The entities, one by one. Throws what {@link pages} throws. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Entity, void, undefined> {
    return new EntityIterator(this.pages())
  }

  /**
   * The entities page by page, each page with a cursor to go on from; at least one page, which may be empty. The last one
   * is not full, or says that there is no more.
   *
   * @throws `HV_SHARD_UNKNOWN`, `HV_SHARD_MISSING`, `HV_CONNECT_FAILED`, `HV_CONNECTION_LOST`, `HV_POOL_TIMEOUT`,
   *   `HV_STATEMENT_FAILED`, `HV_CLOSED`, or the reason of the signal; TypeError the second time
   */
  async *pages(): AsyncGenerator<ScanPage, void, undefined> {
    if (this.#isBegun) throw new TypeError('a scan can run only once: call scan() again for another one')
    this.#isBegun = true
    try {
      for (;;) {
        const page = await this.#run.nextPage()
        yield page
        if (!page.hasMore || this.#run.isAtLimit) return
      }
    } finally {
      await this.#run.close()
    }
  }

  /** Ends the scan, and waits until nothing is going on any more. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#isBegun = true
    return this.#run.close()
  }
}
