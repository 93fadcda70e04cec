import { readCities } from '../../demo/cities.ts'
import { CITY } from '../../demo/load.ts'
import { Fleet } from '../../src/fleet.ts'
import { Datastore } from '../../src/index.ts'
import { startCluster, type Cluster, type ServerConnection } from '../../src/testing.ts'

/** Two servers of a catalog. Both shards live on the first one, until they are moved. */
export class FleetGround implements AsyncDisposable {
  readonly db: Datastore
  readonly fleet: Fleet
  readonly #cluster: Cluster

  private constructor(cluster: Cluster, db: Datastore, fleet: Fleet) {
    this.#cluster = cluster
    this.db = db
    this.fleet = fleet
  }

  /** Starts the servers. */
  static async open(signal: AbortSignal): Promise<FleetGround> {
    const cluster = await startCluster({ servers: 2, shards: '1-3', serversWithShards: 1, catalog: true, signal })
    try {
      const { catalog = '' } = cluster
      const db = await Datastore.open({ catalog })
      return new FleetGround(cluster, db, await Fleet.open({ catalog }))
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  get source(): ServerConnection {
    return this.#connection(0)
  }

  get target(): ServerConnection {
    return this.#connection(1)
  }

  /** Puts so many cities into a shard. */
  async fill(shardId: number, rows: number): Promise<void> {
    const cities = await readCities()
    const bodies = Array.from({ length: rows }, (_, row) => cities[row % cities.length] ?? {})
    for await (const _ of this.db.load(CITY, bodies, { shardOf: () => shardId }));
  }

  /** The server that a shard does not live on. */
  otherServer(shardId: number): string {
    return this.db.topology.getServer(shardId).serverId === 's1' ? 's2' : 's1'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.fleet.close(), this.db.disconnect()])
    await this.#cluster.stop()
  }

  #connection(at: number): ServerConnection {
    const server = this.#cluster.servers[at]
    if (server === undefined) throw new Error('a fleet of the bench has two servers')
    return server.connection
  }
}
