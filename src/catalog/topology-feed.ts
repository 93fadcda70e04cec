import { isHypervaultError } from '../errors.ts'
import type { Logger } from '../pool/logger.ts'
import type { Topology } from '../topology/topology.ts'
import { Catalog, type CatalogConnection } from './catalog.ts'
import type { FleetRecord } from './fleet-record.ts'
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
 * A topology is taken over only if its epoch is higher. While the catalog is down the last one stays in force.
 */

/** How a topology is followed. */
export interface FeedOptions {
  readonly catalog: CatalogConnection
  /** Where the last topology is kept for a start while the catalog is down; default nowhere. */
  readonly topologyFile?: string | undefined
  /** Pause between two looks at the catalog; default 5,000. It bounds how long a client may not know of a change. */
  readonly topologyPollMs?: number | undefined
  readonly logger?: Logger | undefined
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_POLL_MS = 5_000
const POLL_JITTER = 0.25

/** The newest topology that is known, and who wants to hear of newer ones. */
export class TopologyFeed implements AsyncDisposable {
  #catalog: Catalog
  readonly #options: FeedOptions
  readonly #directory = new ServerDirectory()
  readonly #listeners = new Set<(topology: Topology) => void>()
  #listener: TopologyListener | undefined
  #topology: Topology
  #reading: Promise<void> | undefined
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
      const feed = new TopologyFeed(catalog, options, await readFirst(catalog, options))
      feed.start()
      return feed
    } catch (error) {
      await catalog[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(catalog: Catalog, options: FeedOptions, fleet: FleetRecord) {
    this.#catalog = catalog
    this.#options = options
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

  /** Asks the catalog. Resolves when the answer is in force, or when there was none; never rejects. */
  async refresh(): Promise<void> {
    // What is being read may be older than the call, so it is waited for, and then asked again.
    if (this.#reading !== undefined) await this.#reading
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    await this.#reading
  }

  /** Follows again after {@link stop}. */
  start(): void {
    if (!this.#isStopped) return
    if (this.#listener !== undefined) this.#catalog = new Catalog(this.#options.catalog, this.#options.logger)
    this.#isStopped = false
    this.#listener = new TopologyListener(this.#catalog.clientConfig, () => void this.refresh())
    this.#listener.start()
    this.#poll()
  }

  /** Closes every connection to the catalog. The last topology stays in force. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await Promise.all([this.#listener?.close(), this.#catalog[Symbol.asyncDispose]()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.clear()
    return this.stop()
  }

  #poll(): void {
    if (this.#isStopped) return
    const { topologyPollMs = DEFAULT_POLL_MS } = this.#options
    const pauseMs = topologyPollMs * (1 + POLL_JITTER * (2 * Math.random() - 1))
    this.#timer = setTimeout(() => void this.refresh().then(() => this.#poll()), pauseMs).unref()
  }

  async #read(): Promise<void> {
    if (this.#isStopped) return
    try {
      await this.#adopt(await this.#catalog.readFleet())
    } catch (error) {
      if (!this.#isStopped) this.#warn('the catalog could not be read: the last topology stays in force', error)
    }
  }

  async #adopt(fleet: FleetRecord): Promise<void> {
    if (fleet.epoch <= this.#topology.epoch) return
    this.#topology = this.#directory.toTopology(fleet)
    for (const listener of this.#listeners) listener(this.#topology)
    await keep(fleet, this.#options)
  }

  #warn(message: string, error: unknown): void {
    const code = isHypervaultError(error) ? error.code : undefined
    this.#options.logger?.warn({ serverId: 'catalog', code }, message)
  }
}

async function readFirst(catalog: Catalog, options: FeedOptions): Promise<FleetRecord> {
  try {
    await catalog.assert()
    const fleet = await catalog.readFleet(options.signal)
    await keep(fleet, options)
    return fleet
  } catch (error) {
    const isDown = isHypervaultError(error, 'HV_CONNECT_FAILED') || isHypervaultError(error, 'HV_POOL_TIMEOUT')
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
