import { hostname, userInfo } from 'node:os'
import type { ClientConfig } from 'pg'
import { HypervaultError, isHypervaultError } from '../errors.ts'
import type { Lease } from '../pool/lease.ts'
import type { Logger } from '../pool/logger.ts'
import { ServerPool } from '../pool/server-pool.ts'
import { withServerSession, type ServerSession } from '../schema/server-session.ts'
import { assertCatalog, ensureCatalog } from './ensure-catalog.ts'
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

/** Channel of the notifications; the payload is the epoch. */
export const TOPOLOGY_CHANNEL = 'hypervault_topology'

/** How the catalog is reached: a connection string, or whatever `pg` takes. */
export type CatalogConnection = string | ClientConfig

/** What is written into the history. */
export interface ChangeRecord {
  readonly action: string
  readonly details: Readonly<Record<string, unknown>>
  /** Who; default the user and the host. */
  readonly actor?: string | undefined
}

/** Most connections: each move under way holds one. */
const CONNECTIONS = 20
const CONNECT_TIMEOUT_MS = 5_000

/** The database with Hypervault's own tables. */
export class Catalog implements AsyncDisposable {
  readonly clientConfig: ClientConfig
  readonly #pool: ServerPool

  constructor(connection: CatalogConnection, logger?: Logger) {
    this.clientConfig = parseCatalogConnection(connection)
    this.#pool = new ServerPool({
      serverId: 'catalog',
      clientConfig: this.clientConfig,
      max: CONNECTIONS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      blockTimeoutMs: CONNECT_TIMEOUT_MS + 1_000,
      logger,
    })
  }

  /** Makes the tables, or brings them to the layout of this release. Returns how many layouts were added. */
  ensure(): Promise<number> {
    return this.withSession(ensureCatalog)
  }

  /** Throws `HV_CATALOG_MISSING` or `HV_CATALOG_LAYOUT` unless the tables are those of this release. */
  assert(): Promise<void> {
    return this.withSession(assertCatalog)
  }

  /** The servers, and where each shard lives, at one epoch. */
  readFleet(signal?: AbortSignal): Promise<FleetRecord> {
    return this.withSession(readFleet, signal)
  }

  /**
   * Changes servers or placements, in one transaction, and resolves to the new epoch and what `work` returned.
   *
   * @throws `HV_OUTCOME_UNKNOWN` when the connection ended during the commit: read the fleet again
   */
  change<T>(
    record: ChangeRecord,
    work: (session: ServerSession, epoch: number) => Promise<T>,
  ): Promise<{ epoch: number; result: T }> {
    return this.withSession(async (session) => {
      let isComplete = false
      try {
        return await session.transaction(['begin'], async () => {
          const epoch = await raiseEpoch(session)
          const result = await work(session, epoch)
          await writeHistory(session, epoch, record)
          isComplete = true
          return { epoch, result }
        })
      } catch (error) {
        throw isComplete ? outcomeUnknown(error) : error
      }
    })
  }

  /** Lends a session of the catalog for the time of `work`. */
  withSession<T>(work: (session: ServerSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return withServerSession(this.#pool, { signal }, work)
  }

  /** Lends a connection of the catalog for as long as the caller likes. */
  acquire(): Promise<Lease> {
    return this.#pool.acquire()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.close({ timeoutMs: CONNECT_TIMEOUT_MS })
  }
}

/** Who is written into the history when nobody is named. */
export function currentActor(): string {
  return `${userInfo().username}@${hostname()}`
}

/** Checks how a catalog is reached. Throws a TypeError. */
export function parseCatalogConnection(connection: unknown): ClientConfig {
  if (typeof connection === 'string' && connection !== '') return Object.freeze({ connectionString: connection })
  if (typeof connection === 'object' && connection !== null) return Object.freeze({ ...connection })
  throw new TypeError("catalog must be a connection string such as 'postgres://host/db', or what pg takes to connect")
}

async function raiseEpoch(session: ServerSession): Promise<number> {
  const [row] = await session.read({ text: 'update hypervault.topology set epoch = epoch + 1 returning epoch' })
  return Number(row?.[0])
}

async function writeHistory(session: ServerSession, epoch: number, record: ChangeRecord): Promise<void> {
  const { action, details, actor = currentActor() } = record
  await session.read({
    text: [
      'with written as (',
      '  insert into hypervault.history (epoch, actor, action, details) values ($1, $2, $3, $4)',
      ')',
      `select pg_notify('${TOPOLOGY_CHANNEL}', $1::text)`,
    ].join('\n'),
    values: [String(epoch), actor, action, JSON.stringify(details)],
  })
}

/** After the last statement only the commit can fail; a lost connection says nothing about it. */
function outcomeUnknown(error: unknown): unknown {
  if (!isHypervaultError(error, 'HV_CONNECTION_LOST')) return error
  const message = 'the connection to the catalog ended during a commit: the change may or may not be there'
  return new HypervaultError('HV_OUTCOME_UNKNOWN', message, { ...error.details }, { cause: error })
}
