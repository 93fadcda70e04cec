import { Catalog } from '../../src/catalog/catalog.ts'
import { addServers } from '../../src/catalog/fleet-changes.ts'
import type { ServerSettings } from '../../src/catalog/server-settings.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases } from './databases.ts'

/** A small fleet on fresh databases: a catalog, and servers `s1`, `s2`, … with two shards each but the last. */
export interface TestFleet extends AsyncDisposable {
  readonly catalog: Catalog
  readonly catalogConnection: ServerConnection
  readonly connections: readonly ServerConnection[]
}

const PASSWORD_VARIABLE = 'HYPERVAULT_TEST_PASSWORD'

/** The settings of a test database for a catalog, with the password in a variable of this process. */
export function settingsOf({ password, ...connection }: ServerConnection): ServerSettings {
  const name = `${PASSWORD_VARIABLE}_${connection.port}`
  process.env[name] = password
  return { ...connection, password: { env: name } }
}

/** Makes a catalog and servers; the last server is empty. */
export async function createFleet(serverCount = 3): Promise<TestFleet> {
  const databases = await createDatabases(serverCount + 1)
  const [catalogConnection, ...connections] = databases.connections as [ServerConnection, ...ServerConnection[]]
  const ranges = connections.slice(0, -1).map((connection, index) => ({ ...connection, shards: rangeOf(index) }))
  await provision(ranges)
  const catalog = new Catalog({ ...catalogConnection })
  await catalog.ensure()
  await addServers(
    catalog,
    connections.map((connection, index) => ({
      serverId: `s${index + 1}`,
      settings: settingsOf(connection),
      shardIds: index < serverCount - 1 ? [2 * index + 1, 2 * index + 2] : [],
    })),
  )
  const dispose = async (): Promise<void> => {
    await catalog[Symbol.asyncDispose]()
    await databases.drop()
  }
  return { catalog, catalogConnection, connections, [Symbol.asyncDispose]: dispose }
}

function rangeOf(index: number): string {
  return `${2 * index + 1}-${2 * index + 3}`
}
