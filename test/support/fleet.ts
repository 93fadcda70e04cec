import { Client } from 'pg'
import { Catalog } from '../../src/catalog/catalog.ts'
import { addServers } from '../../src/catalog/fleet-changes.ts'
import type { ServerSettings } from '../../src/catalog/server-settings.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { dropSubscriptionSql } from '../../src/fleet/move/replication-sql.ts'
import { provision } from '../../src/schema/provision.ts'
import { until } from './until.ts'
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

/** Makes a catalog and servers; the last server is empty, and its database is made as `lastOptions` say. */
export async function createFleet(serverCount = 3, lastOptions = ''): Promise<TestFleet> {
  const databases = await createDatabases(serverCount + 1, lastOptions)
  const [catalogConnection, ...connections] = databases.connections as [ServerConnection, ...ServerConnection[]]
  const catalog = await layOutFleet(catalogConnection, connections)
  const dispose = async (): Promise<void> => {
    await catalog[Symbol.asyncDispose]()
    await Promise.all(connections.map(endReplication))
    await databases.drop()
  }
  return { catalog, catalogConnection, connections, [Symbol.asyncDispose]: dispose }
}

/** Makes the shards and the tables of the catalog in databases that are empty, and registers the servers. */
export async function layOutFleet(
  catalogConnection: ServerConnection,
  connections: readonly ServerConnection[],
): Promise<Catalog> {
  const withShards = connections.length - 1
  await provision(connections.slice(0, -1).map((connection, index) => ({ ...connection, shards: rangeOf(index) })))
  const catalog = new Catalog({ ...catalogConnection })
  await catalog.ensure()
  await addServers(
    catalog,
    connections.map((connection, index) => ({
      serverId: `s${index + 1}`,
      settings: settingsOf(connection),
      shardIds: index < withShards ? [2 * index + 1, 2 * index + 2] : [],
    })),
  )
  return catalog
}

/** A database with a subscription or a slot cannot be dropped. */
async function endReplication(connection: ServerConnection): Promise<void> {
  const client = new Client(connection)
  await client.connect()
  const { rows } = await client.query<{ subname: string }>(
    'select subname from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())',
  )
  for (const { subname } of rows) await client.query(dropSubscriptionSql(subname).join(';'))
  const own = 'from pg_replication_slots where database = current_database()'
  await until('no slot', async () => {
    await client.query(`select pg_terminate_backend(active_pid) ${own} and active`)
    await client.query(`select pg_drop_replication_slot(slot_name) ${own} and not active`)
    return (await client.query(`select ${own}`)).rows.length === 0
  })
  await client.end()
}

function rangeOf(index: number): string {
  return `${2 * index + 1}-${2 * index + 3}`
}
