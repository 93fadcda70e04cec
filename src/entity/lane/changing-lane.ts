import type { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import type { EntityLayout } from '../change/change-statements.ts'
import type { EncodedCondition } from '../change/condition.ts'
import { updatedMissing } from '../change/updated-missing.ts'
import { findHstoreSchema } from '../rows/statements.ts'
import { isHstoreMoved } from '../site/hstore-type.ts'
import type { ServerSite } from '../site/server-site.ts'
import type { LaneSite } from './lane-site.ts'
import { Lane, type Batch } from './lane.ts'
import type { Operation } from './operation.ts'

/** What a changing lane is asked for. */
export interface Keyed {
  readonly key: Key
}

/** Most entities in one statement: they are locked until its end. */
const MAX_ROWS = 256

/** Most characters of hstore text in one statement; a longer change travels alone. */
const MAX_CHARACTERS = 1_000_000

/**
 * A lane that changes entities. A key travels once in a statement at most: the next change of it waits for the next
 * statement, in the order in which they were asked for. If the lane needs to know where the server keeps hstore, its
 * first flight is that question.
 */
export abstract class ChangingLane<Input extends Keyed, Output, Cargo extends EncodedCondition> extends Lane<
  Input,
  Output,
  Cargo
> {
  override readonly waitsForRows = true
  protected override readonly limits = { rows: MAX_ROWS, size: MAX_CHARACTERS }
  readonly #server: ServerSite
  readonly #keys = new Set<bigint>()

  constructor(site: LaneSite, findSuccessor: () => ChangingLane<Input, Output, Cargo>, server: ServerSite) {
    super(site, findSuccessor)
    this.#server = server
  }

  protected override isWrite({ isQuestion = false }: Batch<Input, Output, Cargo>): boolean {
    return !isQuestion
  }

  protected override entityOf({ key }: Input): bigint {
    return key.id
  }

  protected override admits(
    gathered: readonly Operation<Input, Output, Cargo>[],
    { input }: Operation<Input, Output, Cargo>,
  ): boolean {
    if (gathered.length === 0) this.#keys.clear()
    if (this.#keys.has(input.key.id)) return false
    this.#keys.add(input.key.id)
    return true
  }

  protected override compose(batch: Batch<Input, Output, Cargo>): ShardStatement {
    const hstoreType = this.#server.hstore.name
    batch.isQuestion = hstoreType === undefined
    batch.namesHstore = hstoreType
    if (hstoreType === undefined) return findHstoreSchema
    const hasUpdated = this.#server.updated.has(this.site.shardId)
    batch.assumesUpdated = hasUpdated
    return this.composeChange(batch, { hstoreType, hasUpdated })
  }

  protected override deliver(batch: Batch<Input, Output, Cargo>, rows: readonly TextRow[]): void | 'again' {
    if (batch.isQuestion === true) return this.#server.learnHstore(rows[0]?.[0])
    this.deliverChange(batch, rows)
  }

  /** The statement for a batch. */
  protected abstract composeChange(batch: Batch<Input, Output, Cargo>, layout: EntityLayout): ShardStatement

  /** Gives each operation its own out of the rows of that statement. */
  protected abstract deliverChange(batch: Batch<Input, Output, Cargo>, rows: readonly TextRow[]): void

  /** Whether the server could look at the condition of an operation; rejects it if not. */
  protected wasJudged(operation: Operation<Input, Output, Cargo>, batch: Batch<Input, Output, Cargo>): boolean {
    const { shardId, pool } = this.site
    const error = updatedMissing(operation.cargo, batch.assumesUpdated ?? true, { shardId, serverId: pool.serverId })
    if (error !== undefined) operation.reject(error)
    return error === undefined
  }

  protected override shouldRepeat(batch: Batch<Input, Output, Cargo>, error: unknown): boolean {
    const { assumesUpdated = true } = batch
    if (isHstoreMoved(this.#server.hstore, batch, error)) return true
    return this.#server.updated.isRefuted(this.site.shardId, assumesUpdated, error)
  }
}
