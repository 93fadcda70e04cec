import { randomBytes } from 'node:crypto'
import { isHypervaultError } from '../errors.ts'
import { createDataFolder } from './data-folder.ts'
import { findFreePort } from './free-port.ts'
import { Postmaster } from './postmaster.ts'
import type { Runtime } from './runtime-folder.ts'
import type { ServerConnection } from './server-connection.ts'
import { ServerFolder } from './server-folder.ts'
import { getUnprivilegedIdentity } from './unprivileged.ts'

const portAttempts = 5

/** A new server that accepts connections, in its parts. */
export interface LaunchedServer {
  readonly connection: ServerConnection
  readonly runtime: Runtime
  readonly folder: ServerFolder
  readonly postmaster: Postmaster
}

/** Makes a folder with data and starts a server on it. When that fails, or is aborted, the folder is removed again. */
export async function launchServer(
  runtime: Runtime,
  settings: string,
  signal: AbortSignal | undefined,
): Promise<LaunchedServer> {
  const folder = new ServerFolder(runtime.version, getUnprivilegedIdentity())
  try {
    const login = { user: 'postgres', password: randomBytes(16).toString('hex') }
    await createDataFolder(folder, runtime, { ...login, settings, signal })
    const running = await startOnFreePort(folder, runtime, { ...login, database: 'postgres' }, signal)
    return { runtime, folder, ...running }
  } catch (error) {
    await folder.remove()
    throw error
  }
}

// Somebody else may take the port between the look and the start.
async function startOnFreePort(
  folder: ServerFolder,
  runtime: Runtime,
  login: Omit<ServerConnection, 'host' | 'port'>,
  signal: AbortSignal | undefined,
): Promise<{ connection: ServerConnection; postmaster: Postmaster }> {
  for (let attempt = 1; ; attempt++) {
    const connection = Object.freeze({ host: '127.0.0.1', port: await findFreePort(), ...login })
    const postmaster = new Postmaster(folder, runtime, connection.port)
    try {
      await postmaster.waitUntilReady(connection, signal)
      return { connection, postmaster }
    } catch (error) {
      if (!isPortTaken(error) || attempt === portAttempts) throw error
    }
  }
}

function isPortTaken(error: unknown): boolean {
  return (
    isHypervaultError(error, 'HV_EMBEDDED_START_FAILED') &&
    /could not bind|address already in use/i.test(error.details.log)
  )
}
