import { EmbeddedServer, type EmbeddedServerOptions } from './embedded-server.ts'

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

/** @throws TypeError or RangeError unless it is an integer >= 1 */
export function assertServerCount(servers: unknown, name = 'servers'): void {
  if (typeof servers !== 'number') throw new TypeError(`${name} must be a number, got ${typeof servers}`)
  if (!Number.isInteger(servers) || servers < 1)
    throw new RangeError(`${name} must be an integer >= 1, got ${String(servers)}`)
}
