import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { changeEntities, type EntityLayout } from '../change/change-statements.ts'
import { encodeChange, type ChangeOutcome, type ChangeRequest, type EncodedChange } from '../change/change.ts'
import { byId, changeOutcome } from '../change/outcomes.ts'
import { ChangingLane } from './changing-lane.ts'
import type { Batch } from './lane.ts'

type ChangeBatch = Batch<ChangeRequest, ChangeOutcome, EncodedChange>

/** The updates and replaces of one shard. */
export class ChangeLane extends ChangingLane<ChangeRequest, ChangeOutcome, EncodedChange> {
  protected override load(request: ChangeRequest): EncodedChange {
    return encodeChange(request)
  }

  protected override sizeOf({ unset, set, expected }: EncodedChange): number {
    return unset.length + set.length + expected.length
  }

  protected override composeChange({ items }: ChangeBatch, layout: EntityLayout): ShardStatement {
    const changes = items.map(({ input, cargo }) => ({ id: input.key.id, change: cargo }))
    return changeEntities(this.site.shardId, changes, layout)
  }

  protected override deliverChange(batch: ChangeBatch, rows: readonly TextRow[]): void {
    const found = byId(rows)
    for (const operation of batch.items) {
      const { key } = operation.input
      if (this.wasJudged(operation, batch)) operation.resolve(changeOutcome(key, found.get(key.toString())))
    }
  }
}
