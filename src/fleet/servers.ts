import type { ClientConfig } from 'pg'
import type { Catalog } from '../catalog/catalog.ts'
import type { SecretPlaces } from '../catalog/secret-places.ts'
import { ServerAccess, type AccessedServer } from '../catalog/server-access.ts'
import { HypervaultError } from '../errors.ts'
import { onAbort } from '../pool/abort-group.ts'
import type { Lease } from '../pool/lease.ts'
import { parametersOf } from '../pool/pg-internals.ts'
import { ServerPool } from '../pool/server-pool.ts'
import { ServerSession } from '../server/server-session.ts'
import { copyConfig } from '../topology/hidden-secrets.ts'

const CONNECT_TIMEOUT_MS = 10_000

/** Most connections of one piece of work on a server: a few steps hold several at once. Each move has links of its own. */
const CONNECTIONS = 8

/** Longest time for one statement; what may take longer is named as such. */
const STATEMENT_MS = 600_000

/** Longest time for one statement that works on a whole table, such as the making of an index. */
export const LONG_STATEMENT_MS = 24 * 3_600_000

/** A session, and the connection that it is on. */
export interface OwnSession {
  readonly lease: Lease
  readonly session: ServerSession
}

interface Under {
  readonly signal: AbortSignal | undefined
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
  readonly server: AccessedServer
  readonly pool: ServerPool
  readonly #access: ServerAccess
  readonly #places: SecretPlaces
  readonly #signal: AbortSignal | undefined
  readonly #isView: boolean

  /** @param view what {@link under} gives: the same connections, under another signal or none */
  constructor(
    server: AccessedServer,
    places: SecretPlaces,
    view?: Pick<FleetLink, 'pool'> & Under & { readonly access: ServerAccess },
  ) {
    this.server = server
    this.#places = places
    this.#isView = view !== undefined
    this.#signal = view?.signal
    this.#access = view?.access ?? new ServerAccess(server, places)
    this.pool = view?.pool ?? makePool(server.serverId, this.#access.clientConfig, CONNECTIONS)
  }

  get serverId(): string {
    return this.server.serverId
  }

  /** The same link for work that ends with a signal, or with none. It need not be disposed of. */
  under(signal: AbortSignal | undefined): FleetLink {
    return new FleetLink(this.server, this.#places, { pool: this.pool, access: this.#access, signal })
  }

  /**
   * Lends a session for the time of `work`. An abort ends the statement in flight, at the server too, and rejects with the
   * signal's reason. A statement has ten minutes, unless `statementTimeoutMs` says otherwise.
   */
  withSession<T>(
    work: (session: ServerSession) => Promise<T>,
    signal = this.#signal,
    statementTimeoutMs = STATEMENT_MS,
  ): Promise<T> {
    return lend(this.pool, { signal, statementTimeoutMs }, ({ session }) => work(session))
  }

  /** Lends a connection for as long as the caller likes. */
  acquire(): Promise<Lease> {
    return this.pool.acquire({ signal: this.#signal })
  }

  /** Opens a session of its own for the time of `work`, which nobody has before or after. An abort is as above. */
  async withOwnSession<T>(
    { name, canReplicate }: OwnSessionOptions,
    work: (own: OwnSession) => Promise<T>,
    signal = this.#signal,
  ): Promise<T> {
    const replication = canReplicate ? { replication: 'database' } : {}
    await using pool = makePool(
      this.serverId,
      copyConfig(this.#access.clientConfig, { application_name: name, ...replication }),
      1,
    )
    return await lend(pool, { signal, statementTimeoutMs: LONG_STATEMENT_MS }, work)
  }

  /** How another server connects to this one: a text for libpq. It holds the password: never print it. */
  async describeForSubscription(): Promise<string> {
    const { ssl } = this.server.settings
    // What the settings leave open comes from this process, as for its own connections; the other server has other defaults.
    const { host, port, database, user } = parametersOf(this.#access.clientConfig)
    const parts = {
      host,
      port,
      dbname: database,
      user,
      password: await this.#access.findPassword(),
      sslmode: ssl === undefined || ssl === false ? undefined : 'require',
      connect_timeout: CONNECT_TIMEOUT_MS / 1_000,
    }
    const given = Object.entries(parts).filter(([, value]) => value !== undefined)
    return given.map(([name, value]) => `${name}=${quoteForLibpq(String(value))}`).join(' ')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isView) await this.pool.close({ timeoutMs: 0 })
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

async function lend<T>(
  pool: ServerPool,
  { signal, statementTimeoutMs }: { signal: AbortSignal | undefined; statementTimeoutMs: number },
  work: (own: OwnSession) => Promise<T>,
): Promise<T> {
  await using lease = await pool.acquire({ signal })
  using _ = onAbort(signal, () => {
    if (!lease.isReturned) lease.destroy()
  })
  try {
    return await work({ lease, session: new ServerSession(lease, statementTimeoutMs) })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/**
 * The servers of a fleet, each connected to when it is needed. Pieces of work that hold connections while they wait for more,
 * as moves do, have links of their own: if they shared some, all of them together could wait for each other.
 */
export class FleetLinks implements AsyncDisposable {
  readonly #catalog: Catalog
  readonly #places: SecretPlaces
  readonly #links = new Map<string, FleetLink>()

  constructor(catalog: Catalog, places: SecretPlaces) {
    this.#catalog = catalog
    this.#places = places
  }

  /** The link to a server, with its settings of now, for work that ends with the signal. Throws `HV_SERVER_UNKNOWN`. */
  async get(serverId: string, signal?: AbortSignal): Promise<FleetLink> {
    const { servers } = await this.#catalog.under(signal).readFleet()
    const server = servers.find((each) => each.serverId === serverId)
    if (server === undefined) {
      throw new HypervaultError('HV_SERVER_UNKNOWN', `the catalog has no server ${serverId}`, { serverId })
    }
    return this.#reuse(server).under(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link[Symbol.asyncDispose]()))
  }

  #reuse({ serverId, settings, problem }: AccessedServer): FleetLink {
    const server = { serverId, settings, ...(problem !== undefined && { problem }) }
    const known = this.#links.get(serverId)
    if (known !== undefined && JSON.stringify(known.server) === JSON.stringify(server)) return known
    if (known !== undefined) void known[Symbol.asyncDispose]()
    const link = new FleetLink(server, this.#places)
    this.#links.set(serverId, link)
    return link
  }
}

function quoteForLibpq(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
