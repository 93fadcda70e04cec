import { assertInteger } from '../arguments/arguments.ts'
import { EmbeddedServer, type EmbeddedServerOptions } from './embedded-server.ts'

/** As many as there are logical shards. */
const MAX_SERVERS = 8192

/**
 * Starts several servers at once. When one does not start, the others are stopped.
 *
 * @throws what the first that failed threw; see `EmbeddedServer.start()`
 */
export async function startServers(count: number, options: EmbeddedServerOptions = {}): Promise<EmbeddedServer[]> {
  assertServerCount(count)
  const results = await Promise.allSettled(Array.from({ length: count }, () => EmbeddedServer.start(options)))
  const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure === undefined) return servers
  await stopServers(servers)
  throw failure.reason
}

/** Stops servers at once; all are stopped, also when one refuses. */
export async function stopServers(servers: readonly EmbeddedServer[]): Promise<void> {
  const results = await Promise.allSettled(servers.map((server) => server.stop()))
  const failure = results.find((result) => result.status === 'rejected')
  if (failure !== undefined) throw failure.reason
}

/** @throws TypeError or RangeError unless it is an integer from 1 to 8192: a server without a shard would be of no use */
export function assertServerCount(servers: unknown, name = 'servers'): void {
  assertInteger(name, servers, 1, MAX_SERVERS)
}
