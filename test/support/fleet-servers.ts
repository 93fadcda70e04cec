import { inject } from 'vitest'
import type { EmbeddedServer } from '../../src/embedded/embedded-server.ts'
import { startServers, stopServers } from '../../src/embedded/start-servers.ts'
import type { Settings } from '../../src/embedded/settings.ts'
import { layOutFleet, type TestFleet } from './fleet.ts'

/** A server of a fleet, 0 …, or the one with the catalog. */
export type FleetPlace = number | 'catalog'

/** A small fleet on servers of its own, which can be killed: each server, and the catalog, is one of them. */
export interface FleetOfServers extends TestFleet {
  serverAt(place: FleetPlace): EmbeddedServer
}

/** A stream that was cut comes back at once, not after 5 seconds: tests would only wait. */
const settings = { wal_retrieve_retry_interval: '200ms', shared_buffers: '32MB' }

/** Starts a catalog and three servers, the last one empty; with other settings if some are given. */
export async function startFleet(more: Settings = {}): Promise<FleetOfServers> {
  const version = process.env['HYPERVAULT_PG_BIN'] ? undefined : inject('postgresVersion')
  const all = await startServers(4, { version, settings: { ...settings, ...more } })
  try {
    const [catalogServer, ...servers] = all as [EmbeddedServer, ...EmbeddedServer[]]
    const connections = servers.map(({ connection }) => connection)
    const catalogConnection = catalogServer.connection
    const catalog = await layOutFleet(catalogConnection, connections)
    const dispose = async (): Promise<void> => {
      await catalog[Symbol.asyncDispose]()
      await stopServers(all)
    }
    const serverAt = (place: FleetPlace): EmbeddedServer =>
      place === 'catalog' ? catalogServer : (servers[place] as EmbeddedServer)
    return { catalog, catalogConnection, connections, serverAt, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await stopServers(all)
    throw error
  }
}
