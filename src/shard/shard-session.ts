import type { QueryArrayResult, QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { HypervaultError, isHypervaultError } from '../errors.ts'
import { onAbort } from '../pool/abort-group.ts'
import type { Lease } from '../pool/lease.ts'
import { OverdueStatement } from '../pool/overdue-statement.ts'
import { boundByClient, isReadTimeout, noQueryTimeout } from '../pool/pg-internals.ts'
import { PreparedStatements } from '../pool/prepared-statements.ts'
import { sendStatement } from '../pool/send-statement.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import { asText, type TextRow } from '../pool/text-rows.ts'
import { whenReady } from '../pool/when-ready.ts'
import { outlivesSweep } from '../sql/statement-text.ts'
import { copyIn } from './copy-in.ts'
import type { StatementConfig } from './query/query-arguments.ts'
import { callerError, commitUnknown, deepSqlstate, isDead, statementError } from './statement-error.ts'

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

/** One name is enough: inside a savepoint of the same name it means the inner one. */
const savepoint: ShardStatement = Object.freeze({ text: 'savepoint hv_savepoint', values: [], isWrite: false })
const release: ShardStatement = Object.freeze({ text: 'release savepoint hv_savepoint', values: [], isWrite: false })
const backToSavepoint = 'rollback to savepoint hv_savepoint'
const rollbackToSavepoint: ShardStatement = Object.freeze({
  text: `${backToSavepoint}; release savepoint hv_savepoint`,
  values: [],
  isWrite: false,
})

/** Runs statements in one logical shard and turns every failure into a coded error. */
export class ShardSession {
  readonly shardId: number
  readonly #lease: Lease
  readonly #log: StatementLog
  readonly #timeoutMs: number
  readonly #statements: PreparedStatements | undefined
  #isInTransaction = false
  #failure: unknown

  /** @param statements what the connection has prepared; undefined if nothing is to be prepared */
  constructor(shardId: number, lease: Lease, log: StatementLog, timeoutMs: number, statements?: PreparedStatements) {
    this.shardId = shardId
    this.#lease = lease
    this.#log = log
    this.#timeoutMs = boundByClient(lease.client, timeoutMs)
    this.#statements = statements
  }

  get serverId(): string {
    return this.#lease.serverId
  }

  get isInTransaction(): boolean {
    return this.#isInTransaction
  }

  /** The first failure of the transaction that no savepoint has undone. */
  get failure(): unknown {
    return this.#failure
  }

  /** True when the server refuses everything but a rollback, because a statement of the transaction has failed. */
  get isFailed(): boolean {
    return this.#lease.client.getTransactionStatus() === 'E'
  }

  /** True when no transaction is open on the connection. */
  get isIdle(): boolean {
    return this.#lease.client.getTransactionStatus() === 'I'
  }

  /**
   * Runs one statement, prepared if that is wanted and no transaction is open. When the server does not answer in time,
   * it is asked to cancel the statement, and if that does not help the connection is cut; inside a transaction at once.
   *
   * @throws `HV_STATEMENT_FAILED`, `HV_SHARD_MISSING`, `HV_CONNECTION_LOST`, and `HV_OUTCOME_UNKNOWN` for a write
   */
  async run(statement: ShardStatement): Promise<TextRow[]> {
    const isAlone = !this.#isInTransaction
    const execute = (): Promise<{ rows: TextRow[]; rowCount: number | null }> => this.#send(statement)
    const { rows } = await this.#observe(statement, isAlone ? (timer) => this.#cancelLate(timer, execute) : execute)
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
   * Runs a statement of the caller, whose rows are as `pg` makes them and whose errors are the server's own; only that
   * of a fence, and that of a dead connection, get a code.
   */
  async query<R extends QueryResultRow>(statement: StatementConfig): Promise<QueryResult<R>> {
    const { shardId, serverId } = this
    const record = this.#log.begin(statement.text, { serverId, shardId })
    this.#lease.taint()
    if (outlivesSweep(statement.text)) this.#lease.spoil()
    try {
      // pg takes undefined for what is not given, its types do not.
      // Bound: the deadline of the transaction, which cuts the connection.
      const result = await this.#lease.client.query<R>({ ...statement, name: undefined } as unknown as QueryConfig)
      record.succeed(result.rowCount)
      return result
    } catch (error) {
      record.fail(error)
      const { client } = this.#lease
      const told = isReadTimeout(error) ? error : callerError(error, { serverId, shardId, isDead: isDead(client) })
      if (isReadTimeout(error)) this.#giveUp()
      throw await this.#noteFailure(told)
    }
  }

  /**
   * Runs `work` in a transaction, and rolls it back when it throws. Until the commit nothing is written, so only a
   * connection that ends during the commit leaves the outcome unknown. Inside a transaction it is a savepoint.
   */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isInTransaction) return this.savepoint(work)
    await this.begin(begin.text)
    try {
      const result = await work()
      await this.#end(commit)
      return result
    } catch (error) {
      await this.tryRollBack()
      throw error
    }
  }

  /** Begins a transaction by these statements. Everything that runs until its end is undone unless it is committed. */
  async begin(text: string): Promise<void> {
    this.#failure = undefined
    await this.#observe({ text, isWrite: false }, () => this.#query({ text, values: [] }))
    this.#isInTransaction = true
  }

  /**
   * Commits. A commit that the server makes a rollback of, because a statement had failed, is an error as well.
   *
   * @throws `HV_COMMIT_UNKNOWN`, `HV_TRANSACTION_ABORTED`, `HV_STATEMENT_FAILED`, `HV_CONNECTION_LOST`
   */
  async commit({ isWrite }: { readonly isWrite: boolean }): Promise<void> {
    const wasSent = !isDead(this.#lease.client)
    try {
      const tag = await this.#end({ ...commit, isWrite: isWrite && wasSent })
      if (tag !== 'COMMIT') throw this.abortedError()
    } catch (error) {
      throw isHypervaultError(error, 'HV_OUTCOME_UNKNOWN') ? commitUnknown(error.cause, this) : error
    }
  }

  /** Rolls back. If that fails, the session is not idle, and is destroyed when it comes back. */
  async tryRollBack(): Promise<void> {
    await this.#end(rollback).catch(() => undefined)
  }

  /** Runs `work`, and when it throws undoes what it has done, inside a transaction. */
  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    const failure = this.#failure
    await this.run(savepoint)
    try {
      const result = await work()
      if (this.isFailed) throw this.abortedError()
      await this.run(release)
      return result
    } catch (error) {
      await this.run(rollbackToSavepoint)
        .then(() => (this.#failure = failure))
        .catch(() => undefined)
      throw error
    }
  }

  /**
   * Runs a statement without values inside a transaction, and undoes it in the same message, so that no lock of it outlives
   * it: what remains is what no rollback undoes, such as the numbers of a sequence.
   */
  async runUndone({ text, isWrite }: Omit<ShardStatement, 'values'>): Promise<TextRow[]> {
    return this.savepoint(async () => {
      const { rows } = await this.#observe({ text, isWrite }, () => this.#queryFirst(`${text};\n${backToSavepoint}`))
      return rows
    })
  }

  /** The error of work that went on after a statement had failed. */
  abortedError(): HypervaultError<'HV_TRANSACTION_ABORTED'> {
    const { serverId, shardId } = this
    const sqlstate = deepSqlstate(this.#failure)
    const details = { serverId, shardId, ...(sqlstate !== undefined && { sqlstate }) }
    const message = `the transaction in shard ${shardId} was rolled back: one of its statements had failed`
    return new HypervaultError('HV_TRANSACTION_ABORTED', message, details, { cause: this.#failure })
  }

  async #end(statement: ShardStatement): Promise<string> {
    this.#isInTransaction = false
    const { command } = await this.#observe(statement, () => this.#query(statement))
    return command
  }

  /** Inside a transaction a failure is told when it is known what has become of the transaction. */
  async #noteFailure<E>(error: E): Promise<E> {
    this.#failure ??= error
    if (this.#isInTransaction) await whenReady(this.#lease.client)
    return error
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
      throw await this.#noteFailure(
        statementError(error, { serverId, shardId, isWrite: isWrite && !this.#isInTransaction }),
      )
    } finally {
      clearTimeout(timer)
    }
  }

  /** Has the server cancel what is not done in time, so that its outcome is known. */
  async #cancelLate<T>(timer: NodeJS.Timeout, execute: () => Promise<T>): Promise<T> {
    clearTimeout(timer)
    let overdue: OverdueStatement | undefined
    const ownTimer = setTimeout(() => (overdue = new OverdueStatement(this.#lease)), this.#timeoutMs)
    try {
      return await execute()
    } finally {
      clearTimeout(ownTimer)
      await overdue?.end()
    }
  }

  #send(statement: ShardStatement): Promise<{ rows: TextRow[]; rowCount: number | null }> {
    const { client } = this.#lease
    const statements = this.#isInTransaction ? undefined : this.#statements
    if (statements === undefined) return this.#query(statement)
    // Bound: the timer of #observe().
    return new Promise((resolve, reject) => {
      sendStatement({ client, statements }, statement, (error, rows) => {
        if (error instanceof Error) reject(error)
        else resolve({ rows, rowCount: rows.length })
      })
    })
  }

  #query({ text, values }: Omit<ShardStatement, 'isWrite'>): Promise<QueryArrayResult<(string | null)[]>> {
    const { client } = this.#lease
    const config = { text, values: [...values], rowMode: 'array' as const, types: asText }
    const query_timeout = noQueryTimeout(client)
    // Bound: the timer of #observe().
    return client.query(query_timeout === undefined ? config : Object.assign(config, { query_timeout }))
  }

  /** Sends several statements in one message; the result is that of the first. */
  async #queryFirst(text: string): Promise<QueryArrayResult<(string | null)[]>> {
    const results: unknown = await this.#query({ text, values: [] })
    const [first] = results as QueryArrayResult<(string | null)[]>[]
    if (first === undefined) throw new Error('bug: a statement had no result')
    return first
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
  /** Most statements that are kept prepared on the connection; 0 or none: nothing is prepared. */
  readonly preparedMax?: number
}

/**
 * Lends a session of a shard for the time of `work`. An abort while it works cuts the connection and rejects with the
 * signal's reason; what was in flight may still be executed by the server.
 */
export async function withShardSession<T>(
  { pool, shardId, log, statementTimeoutMs, signal, preparedMax = 0 }: SessionRequest,
  work: (session: ShardSession) => Promise<T>,
): Promise<T> {
  await using lease = (await pool.acquire({ signal })).vouch()
  using _ = onAbort(signal, () => {
    if (!lease.isReturned) lease.destroy()
  })
  try {
    const statements = preparedMax > 0 ? PreparedStatements.of(lease.client, preparedMax) : undefined
    return await work(new ShardSession(shardId, lease, log, statementTimeoutMs, statements))
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
