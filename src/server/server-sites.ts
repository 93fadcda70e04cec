import { HypervaultError, isHypervaultError } from '../errors.ts'
import { ServerPool } from '../pool/server-pool.ts'
import type { Server } from '../topology/connection-entry.ts'
import { describeFailures } from '../topology/like-failures.ts'

/** A server and the connections to it. */
export interface ServerSite {
  readonly server: Server
  readonly pool: ServerPool
}

/** What the pools of all servers have in common. */
export interface SiteSettings {
  readonly connectionsPerServer: number
  readonly connectTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

interface ServerFailure {
  readonly serverId: string
  readonly cause: unknown
}

/** The servers of one piece of work, each with a pool of its own for as long as it takes. */
export class ServerSites implements AsyncDisposable {
  readonly list: readonly ServerSite[]
  readonly #signal: AbortSignal | undefined

  constructor(servers: readonly Server[], settings: SiteSettings) {
    this.list = servers.map((server) => ({ server, pool: openPool(server, settings) }))
    this.#signal = settings.signal
  }

  /**
   * Does the work on all servers at once and waits for all of them, also when some fail.
   *
   * @throws the signal's reason; the failure itself when there is only one server and it has a code; else
   *   `HV_PROVISION_FAILED` with the failures of all servers
   */
  async onEach<T>(work: (site: ServerSite) => Promise<T>): Promise<T[]> {
    const results = await Promise.allSettled(this.list.map((site) => work(site)))
    const failures = results.flatMap((result, index) => toFailure(result, this.list[index]))
    if (failures.length > 0) this.#throwFailures(failures)
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.list.map(({ pool }) => pool.close({ timeoutMs: 0 })))
  }

  #throwFailures(failures: readonly ServerFailure[]): never {
    this.#signal?.throwIfAborted()
    const [first] = failures
    if (this.list.length === 1 && isHypervaultError(first?.cause)) throw first.cause
    throw failedError(failures)
  }
}

function openPool({ serverId, clientConfig }: Server, settings: SiteSettings): ServerPool {
  const { connectionsPerServer, connectTimeoutMs } = settings
  return new ServerPool({
    serverId,
    clientConfig,
    max: connectionsPerServer,
    connectTimeoutMs,
    // Longer than connecting may take, so that the failure to connect is what is told.
    blockTimeoutMs: connectTimeoutMs + 1_000,
  })
}

function toFailure(result: PromiseSettledResult<unknown>, site: ServerSite | undefined): ServerFailure[] {
  if (result.status === 'fulfilled' || site === undefined) return []
  return [{ serverId: site.server.serverId, cause: result.reason as unknown }]
}

function failedError(failures: readonly ServerFailure[]): HypervaultError<'HV_PROVISION_FAILED'> {
  const described = failures.map(({ serverId, cause }) => ({
    serverId,
    code: isHypervaultError(cause) ? cause.code : undefined,
    message: cause instanceof Error ? cause.message : String(cause),
  }))
  const causes = failures.map(({ cause }) => cause)
  const cause = causes.length === 1 ? causes[0] : new AggregateError(causes)
  const text = describeFailures(described).join('; ')
  return new HypervaultError(
    'HV_PROVISION_FAILED',
    `provisioning failed on ${text}`,
    { failures: described },
    { cause },
  )
}
