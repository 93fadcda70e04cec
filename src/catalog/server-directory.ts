import type { Logger } from '../pool/logger.ts'
import type { Server } from '../topology/connection-entry.ts'
import { Topology } from '../topology/topology.ts'
import type { FleetRecord, FleetServer } from './fleet-record.ts'
import type { SecretPlaces } from './secret-places.ts'
import { ServerAccess, type Unusable } from './server-access.ts'

interface Known {
  readonly text: string
  readonly access: ServerAccess
}

/**
 * Makes topologies. A server whose settings are as they were keeps its configuration, and so its pool. What is wrong with
 * a server is logged once, and again when it is something else.
 */
export class ServerDirectory {
  readonly #known = new Map<string, Known>()
  readonly #told = new Map<string, string>()
  readonly #places: SecretPlaces
  readonly #logger: Logger | undefined

  constructor(places: SecretPlaces, logger?: Logger) {
    this.#places = places
    this.#logger = logger
  }

  toTopology({ epoch, servers, spread }: FleetRecord): Topology {
    return new Topology(Object.freeze(servers.map((server) => this.#toServer(server))), { epoch, spread })
  }

  /** Whether a server has other settings than in the topology that was made last. */
  hasOtherSettings({ servers }: FleetRecord): boolean {
    return servers.some((server) => this.#known.get(server.serverId)?.text !== textOf(server))
  }

  #toServer(server: FleetServer): Server {
    const { serverId, shardIds } = server
    const before = this.#known.get(serverId)
    const text = textOf(server)
    const known = before?.text === text ? before : { text, access: this.#access(server) }
    this.#known.set(serverId, known)
    return Object.freeze({ serverId, shardIds, clientConfig: known.access.clientConfig })
  }

  #access(server: FleetServer): ServerAccess {
    const { serverId, ignored } = server
    if (ignored !== undefined) {
      const message = 'settings of a server are ignored: this release does not know them'
      this.#logger?.warn({ serverId, ignored }, message)
    }
    const access = new ServerAccess(server, this.#places, (id, error) => this.#tell(id, error))
    access.check()
    return access
  }

  #tell(serverId: string, error: Unusable | undefined): void {
    const reason = error?.details.reason
    if (this.#told.get(serverId) === reason) return
    if (error === undefined) this.#told.delete(serverId)
    else this.#told.set(serverId, error.details.reason)
    if (error !== undefined) {
      this.#logger?.warn(
        { serverId, code: error.code, reason, hint: error.hint },
        'a server of the catalog cannot be used',
      )
    }
  }
}

function textOf({ settings, ignored, problem }: FleetServer): string {
  return JSON.stringify([settings, ignored, problem])
}
