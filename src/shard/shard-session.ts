import type { QueryArrayResult } from 'pg'
import type { Lease } from '../pool/lease.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import { asText, type TextRow } from '../pool/text-rows.ts'
import { copyIn } from './copy-in.ts'
import { statementError } from './statement-error.ts'

/** One statement of Hypervault itself. Its rows are arrays of the texts that the server sent. */
export interface ShardStatement {
  readonly text: string
  readonly values: readonly (string | Buffer)[]
  /** Whether it may leave something behind, so that its outcome is unknown when the connection ends. */
  readonly isWrite: boolean
}

const begin: ShardStatement = Object.freeze({ text: 'begin', values: [], isWrite: false })
const commit: ShardStatement = Object.freeze({ text: 'commit', values: [], isWrite: true })
const rollback: ShardStatement = Object.freeze({ text: 'rollback', values: [], isWrite: false })

/** Runs statements in one logical shard and turns every failure into a coded error. */
export class ShardSession {
  readonly shardId: number
  readonly #lease: Lease
  readonly #log: StatementLog
  readonly #timeoutMs: number
  #isInTransaction = false

  constructor(shardId: number, lease: Lease, log: StatementLog, timeoutMs: number) {
    this.shardId = shardId
    this.#lease = lease
    this.#log = log
    this.#timeoutMs = timeoutMs
  }

  get serverId(): string {
    return this.#lease.serverId
  }

  get isInTransaction(): boolean {
    return this.#isInTransaction
  }

  /**
   * Runs one statement. When the server does not answer in time, the connection is cut.
   *
   * @throws `HV_STATEMENT_FAILED`, `HV_SHARD_MISSING`, `HV_CONNECTION_LOST`, and `HV_OUTCOME_UNKNOWN` for a write
   */
  async run(statement: ShardStatement): Promise<TextRow[]> {
    const { rows } = await this.#observe(statement, () => this.#query(statement))
    return rows
  }

  /**
   * Sends rows through a `COPY … FROM STDIN`. The time for one statement begins again with each chunk that the server
   * takes. Throws what `run` throws.
   */
  async copyIn(text: string, chunks: Iterable<Buffer>): Promise<void> {
    await this.#observe({ text, isWrite: true }, async (timer) => {
      const rowCount = await copyIn(this.#lease.client, text, chunks, () => timer.refresh())
      return { rowCount }
    })
  }

  /**
   * Runs `work` in a transaction, and rolls it back when it throws. Until the commit nothing is written, so only a
   * connection that ends during the commit leaves the outcome unknown.
   */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.run(begin)
    this.#isInTransaction = true
    try {
      const result = await work()
      this.#isInTransaction = false
      await this.run(commit)
      return result
    } catch (error) {
      await this.#tryRollBack()
      throw error
    } finally {
      this.#isInTransaction = false
    }
  }

  /** A rollback that fails needs no word: the session is not idle then, and is destroyed when it comes back. */
  async #tryRollBack(): Promise<void> {
    await this.run(rollback).catch(() => undefined)
  }

  async #observe<T extends { rowCount: number | null }>(
    { text, isWrite }: Omit<ShardStatement, 'values'>,
    execute: (timer: NodeJS.Timeout) => Promise<T>,
  ): Promise<T> {
    const { shardId, serverId } = this
    const record = this.#log.begin(text, { serverId, shardId })
    const timer = setTimeout(() => this.#giveUp(), this.#timeoutMs)
    try {
      const result = await execute(timer)
      record.succeed(result.rowCount)
      return result
    } catch (error) {
      record.fail(error)
      throw statementError(error, { serverId, shardId, isWrite: isWrite && !this.#isInTransaction })
    } finally {
      clearTimeout(timer)
    }
  }

  #query({ text, values }: ShardStatement): Promise<QueryArrayResult<(string | null)[]>> {
    return this.#lease.client.query({ text, values: [...values], rowMode: 'array', types: asText })
  }

  #giveUp(): void {
    if (!this.#lease.isReturned) this.#lease.destroy()
  }
}

/** Where and how a session is lent. */
export interface SessionRequest {
  readonly pool: ServerPool
  readonly shardId: number
  readonly log: StatementLog
  /** Longest time for one statement. */
  readonly statementTimeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Lends a session of a shard for the time of `work`. An abort while it works cuts the connection and rejects with the
 * signal's reason; what was in flight may still be executed by the server.
 */
export async function withShardSession<T>(
  { pool, shardId, log, statementTimeoutMs, signal }: SessionRequest,
  work: (session: ShardSession) => Promise<T>,
): Promise<T> {
  await using lease = await pool.acquire({ signal })
  const onAbort = (): void => {
    if (!lease.isReturned) lease.destroy()
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await work(new ShardSession(shardId, lease, log, statementTimeoutMs))
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
