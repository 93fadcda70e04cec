import type { ClientConfig } from 'pg'
import { Deadline } from '../pool/deadline.ts'
import type { Lease } from '../pool/lease.ts'
import type { Logger } from '../pool/logger.ts'
import { ServerPool } from '../pool/server-pool.ts'
import { silentError } from '../server/server-error.ts'
import { withServerSession, type ServerSession, type SessionOptions } from '../server/server-session.ts'
import { assertConnectionString, connectionStringOf } from '../topology/connection-string.ts'
import { hideSecrets } from '../topology/hidden-secrets.ts'
import { Change, type ChangeRecord } from './change.ts'
import { assertCatalog, countMissingLayouts, ensureCatalog } from './ensure-catalog.ts'
import { readFleet, type FleetRecord } from './fleet-record.ts'

/*
 * The database that says where each logical shard lives. Its tables are authoritative (catalog-layouts.ts): a topology
 * anywhere else is a copy, as old as its epoch. Every change of a server or a placement is one transaction that
 *
 *   1. locks the row of the epoch, so that changes come one after the other,
 *   2. does what it does,
 *   3. raises the epoch by one, writes who did what into the history, and notifies the clients.
 *
 * So a topology of an epoch is complete, and one of a higher epoch is newer.
 */

/** How the catalog is reached: a connection string, or whatever `pg` takes. */
export type CatalogConnection = string | ClientConfig

/** Other bounds of one session than the usual ones, or another signal than that of the catalog. */
export type CatalogSessionOptions = Partial<
  Pick<SessionOptions, 'signal' | 'statementTimeoutMs' | 'connectionTimeoutMs'>
>

/** How long a change may take, and how long it is asked for when the answer to its commit does not come. */
export interface ChangeBounds {
  readonly timeoutMs?: number | undefined
  readonly askMs?: number | undefined
  /** What to do when nobody can tell what became of the change. */
  readonly hint?: string | undefined
}

/** Most connections for statements, none of which is held for longer than its transaction. */
const CONNECTIONS = 20

/**
 * Most connections that are held for long, one by each move under way. Apart from the others: if leases could take them all,
 * whoever has one would wait for a connection for its next step, and none would ever come back.
 */
const LONG_CONNECTIONS = 100

const CONNECT_TIMEOUT_MS = 5_000

/** Longest time for one round trip. The statements of a catalog touch a few rows, but may wait for another change. */
const STATEMENT_TIMEOUT_MS = 15_000

/** Longest time for a change of the layout, which may wait for others and makes indexes. */
const LAYOUT_TIMEOUT_MS = 60_000

/** Longest time for a whole change, and longest time that it is asked for afterwards. */
const CHANGE_TIMEOUT_MS = 20_000
const ASK_MS = 10_000

/** The connections of a catalog, under a signal. */
interface CatalogView {
  readonly pool: ServerPool
  readonly longPool: ServerPool
  readonly signal: AbortSignal
}

/** The database with Hypervault's own tables. Every wait for it has a bound, and ends with the signal of its caller. */
export class Catalog implements AsyncDisposable {
  readonly clientConfig: ClientConfig
  readonly #pool: ServerPool
  readonly #longPool: ServerPool
  readonly #signal: AbortSignal | undefined
  readonly #isView: boolean

  /** @param view what {@link under} gives: the same connections, under a signal */
  constructor(connection: CatalogConnection, logger?: Logger, view?: CatalogView) {
    this.clientConfig = parseCatalogConnection(connection)
    this.#isView = view !== undefined
    this.#signal = view?.signal
    const makePool = (max: number): ServerPool =>
      new ServerPool({
        serverId: 'catalog',
        clientConfig: this.clientConfig,
        max,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        blockTimeoutMs: CONNECT_TIMEOUT_MS + 1_000,
        logger,
      })
    this.#pool = view?.pool ?? makePool(CONNECTIONS)
    this.#longPool = view?.longPool ?? makePool(LONG_CONNECTIONS)
  }

  /** The same catalog, on the same connections, for work that ends with a signal. It need not be disposed of. */
  under(signal: AbortSignal | undefined): Catalog {
    if (signal === undefined) return this
    return new Catalog(this.clientConfig, undefined, { pool: this.#pool, longPool: this.#longPool, signal })
  }

  /**
   * Makes the tables, or brings them to the layout of this release. Returns how many layouts were added, or would be by a dry
   * run.
   */
  ensure({ isDryRun = false }: Pick<ChangeRecord, 'isDryRun'> = {}): Promise<number> {
    const bounds = { statementTimeoutMs: LAYOUT_TIMEOUT_MS }
    return this.withSession(isDryRun ? countMissingLayouts : ensureCatalog, bounds)
  }

  /** Throws `HV_CATALOG_MISSING` or `HV_CATALOG_LAYOUT` unless the tables are those of this release. */
  assert(): Promise<void> {
    return this.withSession(assertCatalog)
  }

  /** The servers, and where each shard lives, at one epoch. */
  readFleet(options: CatalogSessionOptions = {}): Promise<FleetRecord> {
    return this.withSession(readFleet, options)
  }

  /**
   * Changes servers or placements, in one transaction (which a dry run rolls back), and resolves to the new epoch and what `work` returned. When the
   * answer to the commit does not come, the catalog is asked on another connection what became of the change.
   *
   * @throws `HV_OUTCOME_UNKNOWN` when the catalog cannot be asked either; with every other error nothing has changed
   */
  async change<T>(
    record: ChangeRecord,
    work: (session: ServerSession, epoch: number) => Promise<T>,
    { timeoutMs = CHANGE_TIMEOUT_MS, askMs = ASK_MS, hint }: ChangeBounds = {},
  ): Promise<{ epoch: number; result: T }> {
    if (record.isDryRun === true) return this.#rehearse(work)
    using deadline = new Deadline(timeoutMs, this.#signal, () => silentError('catalog', timeoutMs))
    const change = new Change(record, work)
    try {
      await withServerSession(this.#pool, { signal: deadline.signal }, (session) => change.run(session, timeoutMs))
    } catch (error) {
      if (!change.isUnknownAfter(error, deadline.signal)) throw error
      await change.settle(this.#pool, { askMs, hint }, error)
    }
    return change.outcome
  }

  #rehearse<T>(work: (session: ServerSession, epoch: number) => Promise<T>): Promise<{ epoch: number; result: T }> {
    return this.withSession(async (session) => {
      try {
        await session.execute(['begin'])
        const { epoch } = await readFleet(session)
        return { epoch, result: await work(session, epoch + 1) }
      } finally {
        await session.execute(['rollback'])
      }
    })
  }

  /** Lends a session of the catalog for the time of `work`. */
  withSession<T>(work: (session: ServerSession) => Promise<T>, options: CatalogSessionOptions = {}): Promise<T> {
    const { signal = this.#signal, ...bounds } = options
    return withServerSession(this.#pool, { signal, statementTimeoutMs: STATEMENT_TIMEOUT_MS, ...bounds }, work)
  }

  /** Lends a connection of the catalog for as long as the caller likes. */
  acquire(): Promise<Lease> {
    return this.#longPool.acquire({ signal: this.#signal })
  }

  /** Closes all connections; those that are in use are cut after `timeoutMs`, default 5,000. */
  async close({ timeoutMs = CONNECT_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#isView) return
    await Promise.all([this.#pool, this.#longPool].map((pool) => pool.close({ timeoutMs })))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Checks how a catalog is reached. Throws a TypeError. */
export function parseCatalogConnection(connection: unknown): ClientConfig {
  assertConnectionString(connectionStringOf(connection), 'catalog')
  if (typeof connection === 'string' && connection !== '') return hideSecrets({ connectionString: connection })
  if (typeof connection === 'object' && connection !== null) return hideSecrets(connection)
  throw new TypeError("catalog must be a connection string such as 'postgres://host/db', or what pg takes to connect")
}
