import { ServerPool, type ServerPoolOptions } from '../pool/server-pool.ts'
import type { PoolStats } from '../pool/stats.ts'
import type { Server } from '../topology/connection-entry.ts'
import type { Topology } from '../topology/topology.ts'

/** What all pools of a datastore have in common. */
export type PoolSettings = Omit<ServerPoolOptions, 'serverId' | 'clientConfig'>

/** Figures of one server's pool. */
export interface ServerStats extends PoolStats {
  readonly serverId: string
}

interface Place {
  readonly server: Server
  readonly pool: ServerPool
}

/**
 * One pool for each server of a topology. When the topology changes, servers that are as they were keep their pool;
 * the pools of the others are retired: what they have lent out is closed when it comes back.
 */
export class ServerPools {
  readonly #settings: PoolSettings
  readonly #retired = new Set<ServerPool>()
  #topology: Topology
  #places: ReadonlyMap<string, Place> = new Map()
  #isRetired = false

  constructor(topology: Topology, settings: PoolSettings) {
    this.#settings = settings
    this.#topology = topology
    this.#places = this.#makePlaces(topology)
  }

  /** The topology that is in force now. */
  get topology(): Topology {
    return this.#topology
  }

  /**
   * The pool of the server that holds a shard.
   *
   * @throws TypeError, RangeError or `HV_SHARD_UNKNOWN`
   */
  poolOf(shardId: number): ServerPool {
    return this.poolOfServer(this.#topology.getServer(shardId).serverId)
  }

  /** The pool of a server of the topology. */
  poolOfServer(serverId: string): ServerPool {
    const place = this.#places.get(serverId)
    if (place === undefined) throw new Error(`bug: no pool for server ${serverId}`)
    return place.pool
  }

  /** Takes over another topology. */
  adopt(topology: Topology): void {
    if (this.#isRetired) return
    const before = [...this.#places.values()]
    this.#places = this.#makePlaces(topology)
    this.#topology = topology
    const kept = new Set([...this.#places.values()].map(({ pool }) => pool))
    for (const { pool } of before) if (!kept.has(pool)) this.#retirePool(pool)
  }

  stats(): ServerStats[] {
    return [...this.#places].map(([serverId, { pool }]) => ({ serverId, ...pool.stats() }))
  }

  retire(): void {
    this.#isRetired = true
    for (const { pool } of this.#places.values()) this.#retirePool(pool)
  }

  /** Resolves once the pools are retired and their last connection is closed. */
  async whenClosed(): Promise<void> {
    await Promise.all(this.#all.map((pool) => pool.whenClosed()))
  }

  async close(options: { timeoutMs: number }): Promise<void> {
    this.#isRetired = true
    await Promise.all(this.#all.map((pool) => pool.close(options)))
  }

  get #all(): ServerPool[] {
    return [...new Set([...this.#retired, ...[...this.#places.values()].map(({ pool }) => pool)])]
  }

  #makePlaces({ servers }: Topology): Map<string, Place> {
    return new Map(servers.map((server) => [server.serverId, this.#findPlace(server) ?? this.#makePlace(server)]))
  }

  #findPlace({ serverId, clientConfig, poolMax }: Server): Place | undefined {
    const place = this.#places.get(serverId)
    if (place === undefined || place.server.poolMax !== poolMax) return undefined
    // A catalog gives a server whose settings are as they were the configuration that it had.
    return place.server.clientConfig === clientConfig ? place : undefined
  }

  #makePlace(server: Server): Place {
    const { serverId, clientConfig, poolMax: max = this.#settings.max } = server
    return { server, pool: new ServerPool({ ...this.#settings, serverId, clientConfig, max }) }
  }

  #retirePool(pool: ServerPool): void {
    this.#retired.add(pool)
    pool.retire()
    void pool.whenClosed().then(() => this.#retired.delete(pool))
  }
}
