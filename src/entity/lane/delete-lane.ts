import type { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { deleteEntities, type EntityLayout } from '../change/change-statements.ts'
import {
  encodeCondition,
  type ChangeCondition,
  type DeleteOutcome,
  type EncodedCondition,
} from '../change/condition.ts'
import { byId, deleteOutcome } from '../change/outcomes.ts'
import { ChangingLane } from './changing-lane.ts'
import type { Batch } from './lane.ts'

/** A delete that somebody asks for; without a condition it meets no conflict. */
export interface DeleteRequest {
  readonly key: Key
  readonly condition: ChangeCondition
}

type DeleteBatch = Batch<DeleteRequest, DeleteOutcome, EncodedCondition>

/** The deletes of one shard. */
export class DeleteLane extends ChangingLane<DeleteRequest, DeleteOutcome, EncodedCondition> {
  protected override load({ condition }: DeleteRequest): EncodedCondition {
    return encodeCondition(condition)
  }

  protected override sizeOf({ expected }: EncodedCondition): number {
    return expected.length
  }

  protected override composeChange({ items }: DeleteBatch, layout: EntityLayout): ShardStatement {
    const deletes = items.map(({ input, cargo }) => ({ id: input.key.id, condition: cargo }))
    return deleteEntities(this.site.shardId, deletes, layout)
  }

  protected override deliverChange(batch: DeleteBatch, rows: readonly TextRow[]): void {
    const found = byId(rows)
    for (const operation of batch.items) {
      const { key } = operation.input
      if (this.wasJudged(operation, batch)) operation.resolve(deleteOutcome(key, found.get(key.toString())))
    }
  }
}
