import { settingsOfConnection } from '../catalog/connection-settings.ts'
import type { FleetServer } from '../catalog/fleet-record.ts'
import type { SecretReference } from '../catalog/secret.ts'
import type { Server } from '../topology/connection-entry.ts'

/**
 * The servers of `connections` as a catalog holds them: without passwords, and without a `poolMax`, which each application
 * has for itself. Throws TypeError, RangeError that names the server.
 */
export function toFleetServers(
  servers: readonly Server[],
  passwords: Readonly<Record<string, SecretReference>>,
): Pick<FleetServer, 'serverId' | 'shardIds' | 'settings'>[] {
  return servers.map(({ serverId, shardIds, clientConfig, poolMax }) => {
    if (poolMax !== undefined) {
      throw new TypeError(`server ${serverId} has poolMax, which a catalog does not store: pass it to Datastore.open()`)
    }
    return {
      serverId,
      shardIds,
      settings: settingsOfConnection(clientConfig, passwords[serverId], `server ${serverId}`),
    }
  })
}
