import { ServerPool, type ServerPoolOptions } from '../pool/server-pool.ts'
import type { PoolStats } from '../pool/stats.ts'
import type { Topology } from '../topology/topology.ts'

/** What all pools of a datastore have in common. */
export type PoolSettings = Omit<ServerPoolOptions, 'serverId' | 'clientConfig'>

/** Figures of one server's pool. */
export interface ServerStats extends PoolStats {
  readonly serverId: string
}

/** One pool for each server of a topology. */
export class ServerPools {
  readonly topology: Topology
  readonly #pools: ReadonlyMap<string, ServerPool>

  constructor(topology: Topology, settings: PoolSettings) {
    this.topology = topology
    this.#pools = new Map(
      topology.servers.map(({ serverId, clientConfig }) => [
        serverId,
        new ServerPool({ ...settings, serverId, clientConfig }),
      ]),
    )
  }

  /**
   * The pool of the server that holds a shard.
   *
   * @throws TypeError, RangeError or `HV_SHARD_UNKNOWN`
   */
  poolOf(shardId: number): ServerPool {
    const { serverId } = this.topology.getServer(shardId)
    const pool = this.#pools.get(serverId)
    if (pool === undefined) throw new Error(`bug: no pool for server ${serverId}`)
    return pool
  }

  stats(): ServerStats[] {
    return [...this.#pools].map(([serverId, pool]) => ({ serverId, ...pool.stats() }))
  }

  retire(): void {
    for (const pool of this.#pools.values()) pool.retire()
  }

  /** Resolves once the pools are retired and their last connection is closed. */
  async whenClosed(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.whenClosed()))
  }

  async close(options: { timeoutMs: number }): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close(options)))
  }
}
