import { Client, type ClientConfig } from 'pg'
import type { Catalog } from '../catalog/catalog.ts'
import { readSecret } from '../catalog/secret.ts'
import { toClientConfig, type ServerSettings } from '../catalog/server-settings.ts'
import { HypervaultError } from '../errors.ts'
import { cutAndCancel } from '../pool/cancel-request.ts'
import type { Lease } from '../pool/lease.ts'
import { ServerPool } from '../pool/server-pool.ts'
import { ServerSession } from '../schema/server-session.ts'

const CONNECT_TIMEOUT_MS = 10_000

/** Most connections of one piece of work on a server: a few steps hold several at once. */
const CONNECTIONS = 8

/** Longest time for one statement that may work on a whole table, such as the making of an index. */
const LONG_STATEMENT_MS = 24 * 3_600_000

/** A session, and the connection that it is on. */
export interface OwnSession {
  readonly lease: Lease
  readonly session: ServerSession
}

/** A session that is opened for one piece of work. */
export interface OwnSessionOptions {
  /** Its `application_name`, by which others find it. */
  readonly name: string
  /** Whether it takes the commands of replication too; its statements have no values then. */
  readonly canReplicate: boolean
}

/** One server of a fleet, and a few connections to it. */
export class FleetLink implements AsyncDisposable {
  readonly serverId: string
  readonly settings: ServerSettings
  readonly clientConfig: ClientConfig
  readonly pool: ServerPool

  constructor(serverId: string, settings: ServerSettings) {
    this.serverId = serverId
    this.settings = settings
    this.clientConfig = toClientConfig(settings)
    this.pool = makePool(serverId, this.clientConfig, CONNECTIONS)
  }

  /**
   * Lends a session for the time of `work`. An abort ends the statement in flight, at the server too, and rejects with the
   * signal's reason.
   */
  withSession<T>(work: (session: ServerSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return lend(this.pool, ({ session }) => work(session), signal)
  }

  /** Opens a session of its own for the time of `work`, which nobody has before or after. An abort is as above. */
  async withOwnSession<T>(
    { name, canReplicate }: OwnSessionOptions,
    work: (own: OwnSession) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const replication = canReplicate ? { replication: 'database' } : {}
    await using pool = makePool(this.serverId, { ...this.clientConfig, application_name: name, ...replication }, 1)
    return await lend(pool, work, signal)
  }

  /** How another server connects to this one: a text for libpq. It holds the password: never print it. */
  async describeForSubscription(): Promise<string> {
    const { password, ssl } = this.settings
    // What the settings leave open comes from this process, as for its own connections; the other server has other defaults.
    const { host, port, database, user } = new Client(this.clientConfig)
    const parts = {
      host,
      port,
      dbname: database,
      user,
      password: password && (await readSecret(password)),
      sslmode: ssl === undefined || ssl === false ? undefined : 'require',
      connect_timeout: CONNECT_TIMEOUT_MS / 1_000,
    }
    const given = Object.entries(parts).filter(([, value]) => value !== undefined)
    return given.map(([name, value]) => `${name}=${quoteForLibpq(String(value))}`).join(' ')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pool.close({ timeoutMs: 0 })
  }
}

function makePool(serverId: string, clientConfig: ClientConfig, max: number): ServerPool {
  return new ServerPool({
    serverId,
    clientConfig,
    max,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    blockTimeoutMs: CONNECT_TIMEOUT_MS + 1_000,
  })
}

async function lend<T>(pool: ServerPool, work: (own: OwnSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
  await using lease = await pool.acquire({ signal })
  const onAbort = (): void => {
    if (!lease.isReturned) cutAndCancel(lease)
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await work({ lease, session: new ServerSession(lease, LONG_STATEMENT_MS) })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The servers of a fleet, each connected to when it is needed. */
export class FleetLinks implements AsyncDisposable {
  readonly #catalog: Catalog
  readonly #links = new Map<string, FleetLink>()

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** The link to a server, with its settings of now. Throws `HV_SERVER_UNKNOWN`. */
  async get(serverId: string): Promise<FleetLink> {
    const { servers } = await this.#catalog.readFleet()
    const server = servers.find((each) => each.serverId === serverId)
    if (server === undefined) {
      throw new HypervaultError('HV_SERVER_UNKNOWN', `the catalog has no server ${serverId}`, { serverId })
    }
    return this.#reuse(serverId, server.settings)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link[Symbol.asyncDispose]()))
  }

  #reuse(serverId: string, settings: ServerSettings): FleetLink {
    const known = this.#links.get(serverId)
    if (known !== undefined && JSON.stringify(known.settings) === JSON.stringify(settings)) return known
    if (known !== undefined) void known[Symbol.asyncDispose]()
    const link = new FleetLink(serverId, settings)
    this.#links.set(serverId, link)
    return link
  }
}

function quoteForLibpq(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
