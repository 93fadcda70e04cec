import { isHypervaultError } from '../errors.ts'
import type { Logger } from '../pool/logger.ts'
import { within, type Bounds } from '../pool/within.ts'
import type { Topology } from '../topology/topology.ts'
import { Catalog, type CatalogConnection } from './catalog.ts'
import type { FleetRecord } from './fleet-record.ts'
import { SecretPlaces, type SecretsOptions } from './secret-places.ts'
import { ServerDirectory } from './server-directory.ts'
import { tryReadTopologyFile, writeTopologyFile } from './topology-file.ts'
import { TopologyListener } from './topology-listener.ts'

/*
 * Follows the topology of a catalog. Three ways lead to a new one, each on its own enough:
 *
 *   a notification   within milliseconds of the change, as long as the connection of the listener lives
 *   polling          every `pollMs`, less or more by a quarter, so that many clients do not ask at once
 *   refresh()        asked for by whoever was refused by a fence (HV001), or found a shard gone
 *
 * A topology is taken over only if its epoch is higher, or if settings of a server were put right by hand, which raises no
 * epoch. While the catalog is down the last one stays in force. A catalog
 * that does not answer is given up after READ_TIMEOUT_MS, longer each time in a row, and asked again on another
 * connection: one of two may be dead without a word. Whoever waits for a refresh leaves at the end of its own time.
 */

/** How a topology is followed. */
export interface FeedOptions {
  readonly catalog: CatalogConnection
  /** Where the last topology is kept for a start while the catalog is down; default nowhere. */
  readonly topologyFile?: string | undefined
  /** Pause between two looks at the catalog; default 5,000. It bounds how long a client may not know of a change. */
  readonly topologyPollMs?: number | undefined
  /**
   * Which files and variables the catalog may name as secrets, and which hosts; default: files right in `/run/secrets`,
   * variables that begin with `HYPERVAULT_`, `HV_`, `PG_` or `PGPASSWORD`, every host.
   */
  readonly secrets?: SecretsOptions | undefined
  readonly logger?: Logger | undefined
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_POLL_MS = 5_000
const POLL_JITTER = 0.25

/** Too short never ends on a slow network, too long holds up who waits for a connection that is dead. */
const READ_TIMEOUT_MS = 2_000
const LONGEST_READ_MS = 15_000
const MAX_SILENCES = 10

const STOP_TIMEOUT_MS = 5_000

/** The newest topology that is known, and who wants to hear of newer ones. */
export class TopologyFeed implements AsyncDisposable {
  #catalog: Catalog
  readonly #options: FeedOptions
  readonly #directory: ServerDirectory
  readonly #listeners = new Set<(topology: Topology) => void>()
  #listener: TopologyListener | undefined
  #topology: Topology
  #reading: Promise<string | undefined> | undefined
  #silences = 0
  #timer: NodeJS.Timeout | undefined
  #isStopped = true

  /**
   * Reads the topology and begins to follow it.
   *
   * @throws `HV_CONNECT_FAILED` when the catalog is down and there is no file to start from, `HV_CATALOG_MISSING`,
   *   `HV_CATALOG_LAYOUT`
   */
  static async open(options: FeedOptions): Promise<TopologyFeed> {
    const catalog = new Catalog(options.catalog, options.logger)
    try {
      const feed = new TopologyFeed(catalog, options, await readFirst(catalog.under(options.signal), options))
      feed.start()
      return feed
    } catch (error) {
      await catalog.close({ timeoutMs: 0 })
      throw error
    }
  }

  private constructor(catalog: Catalog, options: FeedOptions, fleet: FleetRecord) {
    this.#catalog = catalog
    this.#options = options
    this.#directory = new ServerDirectory(new SecretPlaces(options.secrets), options.logger)
    this.#topology = this.#directory.toTopology(fleet)
  }

  get topology(): Topology {
    return this.#topology
  }

  /** Calls back with each newer topology, until the function that it returns is called. */
  onChange(listener: (topology: Topology) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Asks the catalog. Resolves when the answer is in force, or to what stands in the way of one. Rejects with the reason
   * of the signal only.
   */
  refresh(bounds: Bounds): Promise<string | undefined> {
    return within(
      this.#readAnew(),
      bounds,
      () => `the catalog did not answer within ${Math.round(bounds.timeoutMs)} ms`,
    )
  }

  /** Follows again after {@link stop}. */
  start(): void {
    if (!this.#isStopped) return
    if (this.#listener !== undefined) this.#catalog = new Catalog(this.#options.catalog, this.#options.logger)
    this.#isStopped = false
    this.#listener = new TopologyListener(this.#catalog.clientConfig, () => void this.#readAnew())
    this.#listener.start()
    this.#poll()
  }

  /** Closes every connection to the catalog, within a bound. The last topology stays in force. */
  async stop(bound: { readonly timeoutMs: number } = { timeoutMs: STOP_TIMEOUT_MS }): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await Promise.all([this.#listener?.close(bound), this.#catalog.close(bound)])
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
    return this.stop()
  }

  #poll(): void {
    if (this.#isStopped) return
    const { topologyPollMs = DEFAULT_POLL_MS } = this.#options
    const pauseMs = topologyPollMs * (1 + POLL_JITTER * (2 * Math.random() - 1))
    this.#timer = setTimeout(() => void this.#readAnew().then(() => this.#poll()), pauseMs).unref()
  }

  async #readAnew(): Promise<string | undefined> {
    // What is being read may be older than the call, so it is waited for, and then asked again.
    if (this.#reading !== undefined) await this.#reading
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  /** Never rejects: resolves to what went wrong. Bounded. */
  async #read(): Promise<string | undefined> {
    if (this.#isStopped) return 'the datastore is closed'
    const timeoutMs = Math.min(READ_TIMEOUT_MS * 2 ** this.#silences, LONGEST_READ_MS)
    try {
      await this.#adopt(
        await this.#catalog.readFleet({ statementTimeoutMs: timeoutMs, connectionTimeoutMs: timeoutMs }),
      )
      this.#silences = 0
      return undefined
    } catch (error) {
      this.#silences = Math.min(this.#silences + 1, MAX_SILENCES)
      if (!this.#isStopped) this.#warn('the catalog could not be read: the last known topology remains in use', error)
      return error instanceof Error ? error.message : String(error)
    }
  }

  async #adopt(fleet: FleetRecord): Promise<void> {
    const { epoch } = this.#topology
    if (fleet.epoch < epoch || (fleet.epoch === epoch && !this.#directory.hasOtherSettings(fleet))) return
    this.#topology = this.#directory.toTopology(fleet)
    for (const listener of this.#listeners) listener(this.#topology)
    await keep(fleet, this.#options)
  }

  #warn(message: string, error: unknown): void {
    const code = isHypervaultError(error) ? error.code : undefined
    this.#options.logger?.warn({ serverId: 'catalog', code }, message)
  }
}

/** What a catalog fails by that cannot be reached, or does not answer. */
const downCodes = ['HV_CONNECT_FAILED', 'HV_POOL_TIMEOUT', 'HV_CONNECTION_LOST'] as const

async function readFirst(catalog: Catalog, options: FeedOptions): Promise<FleetRecord> {
  try {
    await catalog.assert()
    const fleet = await catalog.readFleet()
    await keep(fleet, options)
    return fleet
  } catch (error) {
    options.signal?.throwIfAborted()
    const isDown = downCodes.some((code) => isHypervaultError(error, code))
    const { topologyFile } = options
    const kept = isDown && topologyFile !== undefined ? await tryReadTopologyFile(topologyFile) : undefined
    if (kept === undefined) throw error
    return kept
  }
}

/** A file that cannot be written is a warning: what it is for may never happen. */
async function keep(fleet: FleetRecord, { topologyFile, logger }: FeedOptions): Promise<void> {
  if (topologyFile === undefined) return
  await writeTopologyFile(topologyFile, fleet).catch((error: unknown) => {
    logger?.warn({ topologyFile, code: (error as { code?: unknown }).code }, 'the topology file could not be written')
  })
}
