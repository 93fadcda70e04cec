import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { AbortGroup } from '../../pool/abort-group.ts'
import type { Lease } from '../../pool/lease.ts'
import { ShardSession } from '../../shard/shard-session.ts'
import {
  beginBatch,
  beginKeptBatch,
  drawFewKeys,
  FEW_KEYS,
  readFewKeys,
  readTransactionId,
} from '../rows/batch-keys.ts'
import { retryKeyCollisions } from '../rows/key-collision.ts'
import { drawDistinctKeys, type KeyDraw } from '../rows/key-drawer.ts'
import type { ServerSite } from '../site/server-site.ts'
import type { Batch, KeptRow } from './batch.ts'
import { waitForEnd } from './commit-end.ts'
import { findUpdatedColumn, restoreUpdated, selectTaken } from './kept-statements.ts'
import type { KeyReserve } from './key-reserve.ts'
import type { BatchTicket } from './load-batch.ts'
import type { ShardQueue } from './shard-queue.ts'
import type { WriterSettings } from './writer-settings.ts'

/*
 * Stores one batch: take the keys, begin, COPY, commit. The keys of many rows were drawn while the batch before was stored,
 * those of few are drawn in the transaction. Who keeps a journal is told between the keys and the commit.
 *
 *   writing ──▶ committing ──▶ stored
 *      │             └──▶ connection lost: the server is asked on another one what became of the transaction
 *      └──▶ refused, or connection lost: nothing is stored
 *
 * Only a repeated key is tried again, with other keys: it proves that nothing was stored. An abort cuts the connection,
 * which is then the same as one that is lost.
 *
 * Rows that keep their keys draw none. It is looked first which keys are there: so the first row of a batch, by which its
 * end is found out, is there only if the batch was stored.
 */

/** A batch that is stored: the ids of its rows in order. */
export interface StoredBatch {
  readonly ids: readonly bigint[]
  readonly ticket: BatchTicket
}

/** Hears of a batch before it is committed. The commit waits, and when this rejects nothing is stored. */
export type CommitListener = (ticket: BatchTicket) => void | Promise<void>

/** Whom a writer tells how far it is. */
export interface WriterEvents {
  readonly beforeCommit: CommitListener
  /** The batch has its keys, so that those of the next one may be drawn. */
  readonly onKeys: () => void
}

/** Writes one batch of one shard. */
export class BatchWriter {
  readonly #site: ServerSite
  readonly #lease: Lease
  readonly #session: ShardSession
  readonly #keys: KeyReserve
  readonly #settings: WriterSettings
  readonly #events: WriterEvents
  #ticket: BatchTicket | undefined

  constructor(
    { shardId, keys }: Pick<ShardQueue, 'shardId' | 'keys'>,
    site: ServerSite,
    lease: Lease,
    settings: WriterSettings,
    events: WriterEvents,
  ) {
    this.#keys = keys
    this.#site = site
    this.#lease = lease
    this.#settings = settings
    this.#events = events
    this.#session = new ShardSession(shardId, lease, settings.log, settings.statementTimeoutMs)
  }

  /**
   * Stores the batch.
   *
   * @throws `HV_OUTCOME_UNKNOWN` when nobody can tell; with every other error nothing is stored
   */
  async store(batch: Batch, signal: AbortSignal): Promise<StoredBatch> {
    signal.throwIfAborted()
    const aborts = AbortGroup.of(signal)
    const member = { reject: () => this.#cut() }
    aborts.add(member)
    try {
      const { serverId, shardId } = this.#session
      if (batch.kept.length > 0) return await this.#attempt(batch, () => this.#keepIds(batch.kept))
      return await retryKeyCollisions(
        { serverId, shardId, signal },
        () => (this.#site.keyCollisions += 1),
        (attempt) => this.#attemptNew(batch, { isWary: attempt > 1, signal }),
      )
    } finally {
      aborts.delete(member)
    }
  }

  async #attemptNew(batch: Batch, draw: Pick<KeyDraw, 'isWary' | 'signal'>): Promise<StoredBatch> {
    const count = batch.rows.length
    if (count <= FEW_KEYS && !draw.isWary) return this.#attempt(batch, () => this.#drawFew(count))
    if (draw.isWary) await this.#keys.clear()
    const ids = await this.#keys.take(count, (missing) =>
      drawDistinctKeys(this.#session, { ...draw, count: missing, site: this.#site }),
    )
    this.#events.onKeys()
    return this.#attempt(batch, () => this.#useIds(ids))
  }

  async #attempt(batch: Batch, begin: () => Promise<StoredBatch>): Promise<StoredBatch> {
    let stored: StoredBatch | undefined
    this.#ticket = undefined
    try {
      await this.#session.transaction(async () => {
        stored = await begin()
        this.#ticket = stored.ticket
        await this.#copy(batch, stored)
      })
    } catch (error) {
      await this.#judge(error)
    }
    if (stored === undefined) throw new Error('bug: a batch was stored without ids')
    return stored
  }

  async #useIds(ids: readonly bigint[]): Promise<StoredBatch> {
    const [row] = await this.#session.run(beginBatch(ids[0] as bigint))
    return this.#begun(ids, readTransactionId(row))
  }

  async #drawFew(count: number): Promise<StoredBatch> {
    const [row] = await this.#session.run(drawFewKeys(this.#session.shardId, count))
    const { ids, transactionId } = readFewKeys(row)
    return this.#begun(ids, transactionId)
  }

  #begun(ids: readonly bigint[], transactionId: string): StoredBatch {
    const { serverId, shardId } = this.#session
    return { ids, ticket: { serverId, shardId, transactionId, key: String(ids[0]) } }
  }

  async #keepIds(kept: readonly KeptRow[]): Promise<StoredBatch> {
    const { serverId, shardId } = this.#session
    const [turn] = await this.#session.run(beginKeptBatch(shardId))
    const ids = kept.map(({ id }) => id)
    const taken = await this.#session.run(selectTaken(shardId, ids))
    if (taken.length > 0) throw takenError({ serverId, shardId, keys: taken.map(([id]) => String(id)) })
    return this.#begun(ids, readTransactionId(turn))
  }

  /** A listener that writes to a disk does so meanwhile. */
  async #copy(batch: Batch, { ids, ticket }: StoredBatch): Promise<void> {
    batch.setIds(ids)
    const table = `${shardSchema(this.#session.shardId)}.entities`
    const text = `copy ${table} (id, type, body) from stdin (format binary)`
    const listened = (async () => this.#events.beforeCommit(ticket))()
    const ends = await Promise.allSettled([this.#session.copyIn(text, batch.stream()), listened])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await this.#setUpdated(batch.kept.filter(({ updated }) => updated !== null))
  }

  async #setUpdated(changed: readonly KeptRow[]): Promise<void> {
    const { shardId } = this.#session
    if (changed.length === 0) return
    const [hasColumn] = await this.#session.run(findUpdatedColumn(shardId))
    if (hasColumn !== undefined) await this.#session.run(restoreUpdated(shardId, changed))
  }

  /** Returns if the batch is stored after all; throws otherwise. */
  async #judge(error: unknown): Promise<void> {
    if (!isHypervaultError(error, 'HV_OUTCOME_UNKNOWN') || this.#ticket === undefined) throw error
    this.#cut()
    const end = await waitForEnd(this.#ticket, { pool: this.#site.pool, settings: this.#settings })
    if (end === 'committed') return
    throw end === 'aborted' ? lostInTime(error) : error
  }

  #cut(): void {
    if (!this.#lease.isReturned) this.#lease.destroy()
  }
}

function takenError(details: { serverId: string; shardId: number; keys: string[] }): HypervaultError<'HV_KEY_TAKEN'> {
  const { serverId, shardId, keys } = details
  const [first = ''] = keys
  const message = `${keys.length} keys already exist in shard ${shardId} on server ${serverId}, such as ${first}`
  return new HypervaultError('HV_KEY_TAKEN', message, details)
}

/** The connection was lost, but it is known that nothing is stored. */
function lostInTime({ details, cause }: HypervaultError<'HV_OUTCOME_UNKNOWN'>): HypervaultError {
  const message = `the connection to server ${details.serverId} ended before the commit: nothing was written`
  return new HypervaultError('HV_CONNECTION_LOST', message, { ...details }, { cause })
}
