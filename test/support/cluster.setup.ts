import type { TestProject } from 'vitest/node'
import type { PostgresVersion } from '../../src/embedded/postgres-version.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { startServers, stopServers } from '../../src/embedded/start-servers.ts'
import { WatchedFolder } from '../../src/embedded/watched-folder.ts'
import { Watcher } from '../../src/embedded/watcher.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL version that this project of the configuration tests against. */
    postgresVersion: PostgresVersion
    /** The two servers that all test files of the project share; see databases.ts. */
    servers: readonly ServerConnection[]
    /** Where test files make their folders; see temporary-folder.ts. */
    temporaryFolder: string
  }
}

/** Starts the two servers that all test files of a project share. HYPERVAULT_PG_BIN tests against one's own binaries. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // vitest leaves its own temporary folder behind when it is killed.
  new Watcher(project.tmpDir)
  const version = process.env['HYPERVAULT_PG_BIN'] ? undefined : project.getProvidedContext().postgresVersion
  const folder = new WatchedFolder('tests', 0o755)
  const servers = await startServers(2, { version })
  project.provide('temporaryFolder', folder.path)
  project.provide(
    'servers',
    servers.map(({ connection }) => connection),
  )
  return async () => {
    await stopServers(servers)
    await folder.remove()
  }
}
