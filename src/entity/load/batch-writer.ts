import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { AbortGroup } from '../../pool/abort-group.ts'
import type { Lease } from '../../pool/lease.ts'
import { ShardSession } from '../../shard/shard-session.ts'
import { drawKeys, readDrawnKeys } from '../batch-keys.ts'
import { retryKeyCollisions } from '../key-collision.ts'
import type { ServerSite } from '../server-site.ts'
import type { Batch } from './batch.ts'
import { waitForEnd, type CommitProbe } from './commit-end.ts'
import type { WriterSettings } from './writer-settings.ts'

/*
 * Stores one batch: begin, draw the keys, COPY, commit.
 *
 *   writing ──▶ committing ──▶ stored
 *      │             └──▶ connection lost: the server is asked on another one what became of the transaction
 *      └──▶ refused, or connection lost: nothing is stored
 *
 * Only a repeated key is tried again: it proves that nothing was stored. An abort cuts the connection, which is then the
 * same as one that is lost.
 */

/** Writes one batch of one shard. */
export class BatchWriter {
  readonly #site: ServerSite
  readonly #lease: Lease
  readonly #session: ShardSession
  readonly #settings: WriterSettings
  #probe: CommitProbe | undefined

  constructor(shardId: number, site: ServerSite, lease: Lease, settings: WriterSettings) {
    this.#site = site
    this.#lease = lease
    this.#settings = settings
    this.#session = new ShardSession(shardId, lease, settings.log, settings.statementTimeoutMs)
  }

  /**
   * Stores the batch and resolves to the ids of its rows in order.
   *
   * @throws `HV_OUTCOME_UNKNOWN` when nobody can tell; with every other error nothing is stored
   */
  async store(batch: Batch, signal: AbortSignal): Promise<bigint[]> {
    signal.throwIfAborted()
    const aborts = AbortGroup.of(signal)
    const member = { reject: () => this.#cut() }
    aborts.add(member)
    try {
      const { serverId, shardId } = this.#session
      const attempt = (): Promise<bigint[]> => this.#attempt(batch)
      return await retryKeyCollisions({ serverId, shardId }, () => (this.#site.keyCollisions += 1), attempt)
    } finally {
      aborts.delete(member)
    }
  }

  async #attempt(batch: Batch): Promise<bigint[]> {
    let ids: bigint[] = []
    try {
      await this.#session.transaction(async () => {
        ids = await this.#drawIds(batch.rows.length)
        await this.#copy(batch, ids)
      })
    } catch (error) {
      await this.#judge(error)
    }
    return ids
  }

  async #drawIds(count: number): Promise<bigint[]> {
    const { shardId } = this.#session
    const [row] = await this.#session.run(drawKeys(shardId, count))
    const { ids, transactionId } = readDrawnKeys(shardId, count, row)
    this.#probe = { shardId, transactionId, id: String(ids[0]) }
    return ids
  }

  async #copy(batch: Batch, ids: readonly bigint[]): Promise<void> {
    batch.setIds(ids)
    const table = `${shardSchema(this.#session.shardId)}.entities`
    await this.#session.copyIn(`copy ${table} (id, type, body) from stdin (format binary)`, batch.stream())
  }

  /** Returns if the batch is stored after all; throws otherwise. */
  async #judge(error: unknown): Promise<void> {
    if (!isHypervaultError(error, 'HV_OUTCOME_UNKNOWN') || this.#probe === undefined) throw error
    this.#cut()
    const end = await waitForEnd(this.#probe, this.#site.pool, this.#settings)
    if (end === 'committed') return
    throw end === 'aborted' ? lostInTime(error) : error
  }

  #cut(): void {
    if (!this.#lease.isReturned) this.#lease.destroy()
  }
}

/** The connection was lost, but it is known that nothing is stored. */
function lostInTime({ details, cause }: HypervaultError<'HV_OUTCOME_UNKNOWN'>): HypervaultError {
  const message = `the connection to server ${details.serverId} ended before the commit: nothing was written`
  return new HypervaultError('HV_CONNECTION_LOST', message, { ...details }, { cause })
}
