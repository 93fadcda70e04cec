import type { ProvisionProgress } from '../schema/provision-options.ts'
import { provision } from '../schema/provision.ts'
import { formatShardRange, parseShardRange, splitShardRange } from '../topology/shard-range.ts'
import type { EmbeddedServer, EmbeddedServerOptions } from './embedded-server.ts'
import type { ServerConnection } from './server-connection.ts'
import { assertServerCount, startServers, stopServers } from './start-servers.ts'

/** What `startCluster()` takes. */
export interface ClusterOptions extends EmbeddedServerOptions {
  /** How many servers; default 2. */
  servers?: number | undefined
  /** The logical shards, spread evenly; default `'1-17'`, which is 1 … 16. */
  shards?: string | undefined
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
  /** One entry per server, in the order of the shards. */
  readonly connections: ClusterConnection[]
  /** The servers, in the same order. */
  readonly servers: readonly EmbeddedServer[]
  /** Stops the servers and removes their data. Safe twice. */
  stop(): Promise<void>
}

/**
 * Starts real PostgreSQL servers out of npm, spreads the shards over them, and provisions them. Takes one to two seconds;
 * whatever way Node.js ends, the servers end too.
 *
 * @throws HypervaultError HV_EMBEDDED_MISSING, HV_EMBEDDED_START_FAILED and those of `provision()`; TypeError and
 *   RangeError for options. After a failure or an abort nothing is left.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { servers: count = 2, shards = '1-17', signal, onProgress, ...serverOptions } = options
  const ranges = splitShards(shards, count)
  const servers = await startServers(count, { ...serverOptions, signal })
  const connections = servers.map(({ connection }, index) => ({ shards: ranges[index] ?? '', ...connection }))
  try {
    await provision(connections, { ...(signal && { signal }), ...(onProgress && { onProgress }) })
  } catch (error) {
    await stopServers(servers)
    throw error
  }
  const stop = (): Promise<void> => stopServers(servers)
  return Object.freeze({ connections, servers, stop, [Symbol.asyncDispose]: stop })
}

function splitShards(shards: string, count: number): string[] {
  assertServerCount(count)
  return splitShardRange(parseShardRange(shards, 'shards'), count).map(formatShardRange)
}
