import type { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { findIds } from '../change/change-statements.ts'
import { Lane, type Batch } from './lane.ts'

/** Most keys in one statement. */
const MAX_ROWS = 1_024

type ExistsBatch = Batch<Key, boolean, string>

/** The questions of one shard whether entities are there. */
export class ExistsLane extends Lane<Key, boolean, string> {
  protected override readonly limits = { rows: MAX_ROWS, size: 0 }

  protected override isWrite(): boolean {
    return false
  }

  protected override load(key: Key): string {
    return key.toString()
  }

  protected override sizeOf(): number {
    return 0
  }

  protected override compose({ items }: ExistsBatch): ShardStatement {
    return findIds(
      this.site.shardId,
      items.map(({ input }) => input.id),
    )
  }

  protected override deliver({ items }: ExistsBatch, rows: readonly TextRow[]): void {
    const found = new Set(rows.map(([id]) => id))
    for (const operation of items) operation.resolve(found.has(operation.cargo))
  }
}
