import type { Body } from '../../hstore/body.ts'
import { encodeHstore } from '../../hstore/encode.ts'
import { Key } from '../../key/key.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { assertKind } from '../rows/entity.ts'
import { judgeCollision } from '../rows/key-collision.ts'
import { findHstoreSchema, insertEntity, insertSome } from '../rows/statements.ts'
import { isHstoreMoved } from '../site/hstore-type.ts'
import type { ServerSite } from '../site/server-site.ts'
import type { LaneSite } from './lane-site.ts'
import { Lane, type Batch } from './lane.ts'

/**
 * Most entities in one statement: far below the 1024 keys that a shard has in a millisecond, because `next_id()` makes
 * those of one statement in less.
 */
const MAX_ROWS = 512

/**
 * How often puts that travel together are sent again for a collision. Then they are taken apart: where a clock has stepped
 * back many keys are there already, and of many puts one nearly always meets such a key.
 */
const MAX_JOINT_ATTEMPTS = 2

/** Most characters of hstore text in one statement; a longer body travels alone. */
const MAX_CHARACTERS = 1_000_000

/** What a put stores. */
export interface NewEntity {
  readonly kind: number
  readonly body: Body
}

type PutBatch = Batch<NewEntity, Key, string>

/** The puts of one shard. */
export class PutLane extends Lane<NewEntity, Key, string> {
  readonly #server: ServerSite
  readonly #epochMs: number

  constructor(site: LaneSite, findSuccessor: () => PutLane, server: ServerSite, epochMs: number) {
    super(site, findSuccessor)
    this.#server = server
    this.#epochMs = epochMs
  }

  /** Until it is known where the server keeps hstore, puts travel alone. */
  protected override get limits(): { rows: number; size: number } {
    const { hstore } = this.#server
    const isKnown = hstore.name !== undefined
    if (!isKnown) hstore.ask(this.site.pickChannel(this.waitsForRows))
    return { rows: isKnown ? MAX_ROWS : 1, size: MAX_CHARACTERS }
  }

  protected override isWrite({ isQuestion = false }: PutBatch): boolean {
    return !isQuestion
  }

  protected override load({ kind, body }: NewEntity): string {
    assertKind(kind)
    return encodeHstore(body)
  }

  protected override sizeOf(cargo: string): number {
    return cargo.length
  }

  /** Puts that came back together, because hstore has moved, ask for it first. */
  protected override compose(batch: PutBatch): ShardStatement {
    const { items } = batch
    const [only] = items
    const { shardId } = this.site
    const hstoreType = this.#server.hstore.name
    if (only === undefined) throw new Error('bug: an empty batch')
    batch.isQuestion = items.length > 1 && hstoreType === undefined
    batch.namesHstore = items.length > 1 ? hstoreType : undefined
    if (items.length === 1) return insertEntity(shardId, only.input.kind, only.cargo)
    if (hstoreType === undefined) return findHstoreSchema
    const kinds = items.map(({ input }) => input.kind)
    const bodies = items.map(({ cargo }) => cargo)
    return insertSome(shardId, kinds, bodies, hstoreType)
  }

  protected override deliver({ items, isQuestion = false }: PutBatch, rows: readonly TextRow[]): void | 'again' {
    if (isQuestion) return this.#server.learnHstore(rows[0]?.[0])
    items.forEach((operation, index) => {
      const id = rows[index]?.[0]
      if (id == null) operation.reject(new Error('bug: an insert returned no id'))
      else operation.resolve(new Key(id, this.#epochMs))
    })
  }

  protected override shouldRepeat(batch: PutBatch, error: unknown): boolean {
    const { shardId, pool } = this.site
    const { attempts, items } = batch
    if (isHstoreMoved(this.#server.hstore, batch, error)) return true
    const isCollision = judgeCollision(
      error,
      { serverId: pool.serverId, shardId, attempts },
      () => (this.#server.keyCollisions += 1),
    )
    return isCollision && (items.length === 1 || attempts < MAX_JOINT_ATTEMPTS)
  }
}
