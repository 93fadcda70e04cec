import { onAbort } from '../pool/abort-group.ts'
import { CopiedTablesQuery } from '../pool/copied-tables-query.ts'
import type { Lease } from '../pool/lease.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import { asText, type TextRow } from '../pool/text-rows.ts'
import { serverError, silentError } from './server-error.ts'

/** One statement with its values. */
export interface ServerStatement {
  readonly text: string
  readonly values?: readonly unknown[]
}

/** A row as the server sent it. */
export type ServerRow = TextRow

/** Runs statements on one server, in none of its shards in particular, and turns every failure into a coded error. */
export class ServerSession {
  readonly #lease: Lease
  readonly #timeoutMs: number

  constructor(lease: Lease, timeoutMs: number) {
    this.#lease = lease
    this.#timeoutMs = timeoutMs
  }

  get serverId(): string {
    return this.#lease.serverId
  }

  /** Runs one statement and gives its rows. When the server does not answer in time, the connection is cut. */
  read({ text, values = [] }: ServerStatement): Promise<ServerRow[]> {
    const query = { text, values: [...values], rowMode: 'array' as const, types: asText }
    return this.#bounded(async () => (await this.#lease.client.query<(string | null)[]>(query)).rows)
  }

  /** Runs some `copy … to stdout` in one round trip and gives the rows of each, in the order given. */
  copyOut(statements: readonly string[]): Promise<ServerRow[][]> {
    return this.#bounded(
      () =>
        new Promise((resolve, reject) => {
          const query = new CopiedTablesQuery(statements, (error, tables) =>
            error === null ? resolve(tables) : reject(error),
          )
          this.#lease.client.query(query)
        }),
    )
  }

  /** Runs statements in one round trip, in the order given; none after the first that fails. */
  async execute(statements: readonly string[]): Promise<void> {
    await this.#bounded(() => this.#lease.client.query(statements.join(';\n')))
  }

  /** Opens a transaction with these statements, does the work, commits; or rolls back when anything fails. */
  async transaction<T>(opening: readonly string[], work: () => Promise<T>): Promise<T> {
    try {
      await this.execute(opening)
      const result = await work()
      await this.execute(['commit'])
      return result
    } catch (error) {
      // A rollback that fails needs no word: the session is not idle then, and is destroyed when it comes back.
      await this.execute(['rollback']).catch(() => undefined)
      throw error
    }
  }

  async #bounded<T>(query: () => Promise<T>): Promise<T> {
    this.#lease.assertHeld()
    let isSilent = false
    const timer = setTimeout(() => {
      isSilent = true
      cut(this.#lease)
    }, this.#timeoutMs)
    try {
      return await query()
    } catch (error) {
      throw isSilent ? silentError(this.serverId, this.#timeoutMs, error) : serverError(this.serverId, error)
    } finally {
      clearTimeout(timer)
    }
  }
}

/** How a session is lent. */
export interface SessionOptions {
  /** Ends the wait for a connection, and what runs on it: the statement is cancelled at the server too. */
  readonly signal: AbortSignal | undefined
  /** Longest time for one round trip; default 60,000. */
  readonly statementTimeoutMs?: number | undefined
  /** Longest wait for a connection; default that of the pool. */
  readonly connectionTimeoutMs?: number | undefined
  /** How long `work` may take to end by itself after an abort before its connection is cut; default 0. */
  readonly abortGraceMs?: number | undefined
}

/** Longest time for one round trip to a server unless something else is said. */
const STATEMENT_TIMEOUT_MS = 60_000

/** Lends a session for the time of `work`. Throws what `work` throws, or the reason of the signal. */
export async function withServerSession<T>(
  pool: ServerPool,
  { signal, statementTimeoutMs = STATEMENT_TIMEOUT_MS, connectionTimeoutMs, abortGraceMs = 0 }: SessionOptions,
  work: (session: ServerSession) => Promise<T>,
): Promise<T> {
  await using lease = await pool.acquire({ signal, timeoutMs: connectionTimeoutMs })
  let timer: NodeJS.Timeout | undefined
  using _ = onAbort(signal, () => {
    if (abortGraceMs === 0) cut(lease)
    else timer = setTimeout(() => cut(lease), abortGraceMs)
  })
  try {
    return await work(new ServerSession(lease, statementTimeoutMs))
  } catch (error) {
    if (abortGraceMs === 0) signal?.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function cut(lease: Lease): void {
  if (!lease.isReturned) lease.destroy()
}
