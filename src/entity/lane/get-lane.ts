import type { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { decodeEntity } from '../rows/decode-entity.ts'
import type { Entity } from '../rows/entity.ts'
import { selectEntities, selectEntity } from '../rows/statements.ts'
import type { UpdatedColumns } from '../site/updated-column.ts'
import type { LaneSite } from './lane-site.ts'
import { Lane, type Batch } from './lane.ts'

/** Most keys in one statement. More save little, and make the others wait. */
const MAX_ROWS = 1_024

type GetBatch = Batch<Key, Entity | undefined, string>

/** The gets of one shard. */
export class GetLane extends Lane<Key, Entity | undefined, string> {
  protected override readonly limits = { rows: MAX_ROWS, size: 0 }
  readonly #updated: UpdatedColumns

  constructor(site: LaneSite, findSuccessor: () => GetLane, updated: UpdatedColumns) {
    super(site, findSuccessor)
    this.#updated = updated
  }

  protected override isWrite(): boolean {
    return false
  }

  protected override load(key: Key): string {
    return key.toString()
  }

  protected override sizeOf(): number {
    return 0
  }

  protected override compose(batch: GetBatch): ShardStatement {
    const { items } = batch
    const [only] = items
    const { shardId } = this.site
    const hasUpdated = this.#updated.has(shardId)
    batch.assumesUpdated = hasUpdated
    if (items.length === 1 && only !== undefined) return selectEntity(shardId, only.cargo, hasUpdated)
    const ids = items.map(({ input }) => input.id)
    return selectEntities(shardId, ids, hasUpdated)
  }

  protected override shouldRepeat({ assumesUpdated = true }: GetBatch, error: unknown): boolean {
    return this.#updated.isRefuted(this.site.shardId, assumesUpdated, error)
  }

  protected override deliver({ items }: GetBatch, rows: readonly TextRow[]): void {
    const found = new Map<string | null | undefined, TextRow>()
    for (const row of rows) found.set(row[0], row)
    for (const operation of items) {
      const row = found.get(operation.cargo)
      operation.resolve(row === undefined ? undefined : decodeEntity(operation.input, row))
    }
  }
}
