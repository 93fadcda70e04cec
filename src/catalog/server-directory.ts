import type { ClientConfig } from 'pg'
import type { Server } from '../topology/connection-entry.ts'
import { Topology } from '../topology/topology.ts'
import type { FleetRecord, FleetServer } from './fleet-record.ts'
import { toClientConfig } from './server-settings.ts'

interface Known {
  readonly text: string
  readonly clientConfig: ClientConfig
}

/** Makes topologies. A server whose settings are as they were keeps its configuration, and so its pool. */
export class ServerDirectory {
  readonly #known = new Map<string, Known>()

  toTopology({ epoch, servers, spread }: FleetRecord): Topology {
    return new Topology(Object.freeze(servers.map((server) => this.#toServer(server))), { epoch, spread })
  }

  #toServer({ serverId, settings, shardIds }: FleetServer): Server {
    const text = JSON.stringify(settings)
    const before = this.#known.get(serverId)
    const known = before?.text === text ? before : { text, clientConfig: toClientConfig(settings) }
    this.#known.set(serverId, known)
    return Object.freeze({ serverId, shardIds, clientConfig: known.clientConfig })
  }
}
