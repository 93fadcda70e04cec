import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { Catalog } from '../catalog/catalog.ts'
import { addServers, type NewServer } from '../catalog/fleet-changes.ts'
import type { EmbeddedServer } from './embedded-server.ts'
import { formatConnectionString } from './server-connection.ts'
import { WatchedFolder } from './watched-folder.ts'

/** Name of the database with the catalog, on the first server. */
const DATABASE = 'hypervault_catalog'

/** Longest time for each step of making it. */
const TIMEOUT_MS = 30_000

/** A server, and the shards that it has. */
export interface PlacedServer {
  readonly server: EmbeddedServer
  readonly shardIds: readonly number[]
}

/**
 * The catalog of servers that are thrown away. Other processes work with it as well, so the passwords, of which it holds
 * none, lie in a folder that goes with the servers.
 */
export class ClusterCatalog {
  readonly connectionString: string
  readonly #folder: WatchedFolder

  /** Makes the catalog and registers the servers as `s1`, `s2`, … */
  static async create(placed: readonly PlacedServer[]): Promise<ClusterCatalog> {
    const folder = new WatchedFolder('passwords', 0o700)
    try {
      const connectionString = await createDatabase(placed)
      await using catalog = new Catalog(connectionString)
      await catalog.ensure()
      await addServers(
        catalog,
        placed.map((each, index) => toNewServer(each, `s${index + 1}`, folder.path)),
      )
      return new ClusterCatalog(connectionString, folder)
    } catch (error) {
      await folder.remove()
      throw error
    }
  }

  private constructor(connectionString: string, folder: WatchedFolder) {
    this.connectionString = connectionString
    this.#folder = folder
  }

  /** Removes the passwords; the catalog goes with its server. */
  remove(): Promise<void> {
    return this.#folder.remove()
  }
}

async function createDatabase([first]: readonly PlacedServer[]): Promise<string> {
  if (first === undefined) throw new Error('bug: a cluster without servers')
  const { connection } = first.server
  const client = new Client({ ...connection, connectionTimeoutMillis: TIMEOUT_MS, query_timeout: TIMEOUT_MS })
  await client.connect()
  try {
    // Bound: `query_timeout`.
    await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
  return formatConnectionString({ ...connection, database: DATABASE })
}

function toNewServer({ server, shardIds }: PlacedServer, serverId: string, folder: string): NewServer {
  const { password, ...settings } = server.connection
  const file = join(folder, serverId)
  writeFileSync(file, password, { mode: 0o600 })
  return { serverId, shardIds, settings: { ...settings, password: { file } } }
}
