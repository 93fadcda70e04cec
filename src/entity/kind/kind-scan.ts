import type { MissingShard, ScanPage } from '../scan/scan-page.ts'
import type { Scan } from '../scan/scan.ts'
import type { ScanOptions } from '../scan/scan-query.ts'
import type { AnyKind } from './kind.ts'
import type { KindEntity } from './kind-entity.ts'
import type { KindKey } from './kind-key.ts'
import type { KindWhere } from './kind-query.ts'
import type { KindTerms } from './kind-terms.ts'

/** Which entities of a kind to walk through, and how. */
export interface KindScanOptions<K extends AnyKind> extends Omit<ScanOptions, 'kind' | 'where' | 'after'> {
  readonly where?: KindWhere<K>
  /** Only what comes behind this key in the direction of the order, or goes on from the cursor of a page. */
  readonly after?: KindKey<K['name']> | string
}

/** Some entities of a scan of a kind, in its order. */
export interface KindScanPage<K extends AnyKind> extends Omit<ScanPage, 'entities'> {
  readonly entities: readonly KindEntity<K>[]
}

/** A scan of the entities of one kind: see {@link Scan}. An entity that cannot be read ends it. */
export class KindScan<K extends AnyKind> implements AsyncIterable<KindEntity<K>>, AsyncDisposable {
  readonly #scan: Scan
  readonly #terms: KindTerms<K>

  /** @internal */
  constructor(scan: Scan, terms: KindTerms<K>) {
    this.#scan = scan
    this.#terms = terms
  }

  /** The shards that have been left out so far, ascending; with `onShardError: 'throw'` none. */
  get missingShards(): readonly MissingShard[] {
    return this.#scan.missingShards
  }

  /** The entities, one by one. Throws what {@link pages} throws. */
  async *[Symbol.asyncIterator](): AsyncGenerator<KindEntity<K>, void, undefined> {
    for await (const entity of this.#scan) yield this.#terms.entityOf(entity)
  }

  /**
   * The entities page by page, each page with a cursor to go on from; at least one page, which may be empty.
   *
   * @throws `HV_KIND_UNREADABLE`, and what the pages of a {@link Scan} throw
   */
  async *pages(): AsyncGenerator<KindScanPage<K>, void, undefined> {
    for await (const page of this.#scan.pages()) {
      yield { ...page, entities: page.entities.map((entity) => this.#terms.entityOf(entity)) }
    }
  }

  /** Ends the scan, and waits until nothing is going on any more. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#scan[Symbol.asyncDispose]()
  }
}
