import { assertCallOptions } from '../arguments/call-options.ts'
import type { ProvisionProgress } from '../schema/provision-options.ts'
import { provision } from '../schema/provision.ts'
import {
  formatShardRange,
  parseShardRange,
  shardsOf,
  splitShardRange,
  type ShardRange,
} from '../topology/shard-range.ts'
import { ClusterCatalog } from './cluster-catalog.ts'
import type { EmbeddedServer, EmbeddedServerOptions } from './embedded-server.ts'
import type { ServerConnection } from './server-connection.ts'
import { assertServerCount, startServers, stopServers } from './start-servers.ts'

/** What `startCluster()` takes. */
export interface ClusterOptions extends EmbeddedServerOptions {
  /** How many servers; default 2. */
  servers?: number | undefined
  /** The logical shards, spread evenly; default `'1-17'`, which is 1 … 16. */
  shards?: string | undefined
  /** How many of the servers, the first ones, get shards; default all, with a catalog at most two, so that one can join. */
  serversWithShards?: number | undefined
  /** Registers the servers in a catalog as `s1`, `s2`, …; default false. */
  catalog?: boolean | undefined
  /** Called while the shards are made. */
  onProgress?: ((event: ProvisionProgress) => void) | undefined
}

/** One entry for the `connections` of a Datastore. */
export interface ClusterConnection extends ServerConnection {
  /** Logical shards of this server: `'1-9'` is 1 … 8, the end is not included. */
  readonly shards: string
}

/** Servers that run, with their shards. */
export interface Cluster extends AsyncDisposable {
  /** One entry per server that has shards, in the order of the shards. */
  readonly connections: ClusterConnection[]
  /** All servers, in the same order. */
  readonly servers: readonly EmbeddedServer[]
  /** Connection string of the catalog, when one was asked for. */
  readonly catalog: string | undefined
  /** Stops the servers and removes their data. Safe twice. */
  stop(): Promise<void>
}

const NO_SHARDS: ShardRange = { first: 0, end: 0 }

/**
 * Starts real PostgreSQL servers out of npm, spreads the shards over them, and provisions them. Takes one to two seconds;
 * whatever way Node.js ends, the servers end too.
 *
 * @throws HypervaultError HV_EMBEDDED_MISSING, HV_EMBEDDED_START_FAILED and those of `provision()`; TypeError and
 *   RangeError for options. After a failure or an abort nothing is left.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  assertCallOptions('startCluster', options)
  const { servers: count = 2, shards = '1-17', catalog: hasCatalog = false, signal, onProgress, ...rest } = options
  const { serversWithShards = hasCatalog ? Math.min(count, 2) : count, ...serverOptions } = rest
  const ranges = splitShards(shards, count, serversWithShards)
  const servers = await startServers(count, { ...serverOptions, signal })
  try {
    const connections = ranges.map((range, index) => ({
      ...connectionOf(servers[index]),
      shards: formatShardRange(range),
    }))
    await provision(connections, { ...(signal && { signal }), ...(onProgress && { onProgress }) })
    const placed = servers.map((server, index) => ({ server, shardIds: shardsOf(ranges[index] ?? NO_SHARDS) }))
    return toCluster(servers, connections, hasCatalog ? await ClusterCatalog.create(placed) : undefined)
  } catch (error) {
    await stopServers(servers)
    throw error
  }
}

function toCluster(
  servers: readonly EmbeddedServer[],
  connections: ClusterConnection[],
  catalog: ClusterCatalog | undefined,
): Cluster {
  const stop = async (): Promise<void> => {
    await Promise.all([stopServers(servers), catalog?.remove()])
  }
  return Object.freeze({
    connections,
    servers,
    catalog: catalog?.connectionString,
    stop,
    [Symbol.asyncDispose]: stop,
  })
}

function connectionOf(server: EmbeddedServer | undefined): ServerConnection {
  if (server === undefined) throw new Error('bug: more ranges than servers')
  return server.connection
}

function splitShards(shards: string, count: number, serversWithShards: number): ShardRange[] {
  assertServerCount(count)
  assertServerCount(serversWithShards, 'serversWithShards')
  if (serversWithShards > count)
    throw new RangeError(`serversWithShards must be at most ${count}, got ${serversWithShards}`)
  return splitShardRange(parseShardRange(shards, 'shards'), serversWithShards)
}
