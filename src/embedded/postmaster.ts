import { join } from 'node:path'
import pg from 'pg'
import { tryPause } from '../pool/pause.ts'
import { GatedProcess } from './gated-process.ts'
import { killWithChildren } from './kill-with-children.ts'
import type { Runtime } from './runtime-folder.ts'
import type { ServerConnection } from './server-connection.ts'
import type { ServerFolder } from './server-folder.ts'
import { describeStartFailure } from './start-failure.ts'

const readyTimeoutMs = 60_000
const connectTimeoutMs = 2_000
const pollMs = 20

// Fast shutdown first: SIGTERM would wait for every client. Then immediate shutdown, which is a crash with a warning.
const shutDownSteps = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
] as const

/** One run of `postgres` on a data folder. */
export class Postmaster {
  readonly #process: GatedProcess
  readonly #folder: ServerFolder
  readonly #version: number

  /** Launches the server; it is not ready yet. */
  constructor(folder: ServerFolder, { version, binFolder }: Runtime, port: number) {
    const args = ['-D', folder.dataFolder, '-p', String(port)]
    this.#process = new GatedProcess({ ...folder.program(join(binFolder, 'postgres'), args), watchAs: 'server' })
    this.#folder = folder
    this.#version = version
  }

  get pid(): number {
    return this.#process.pid
  }

  get hasExited(): boolean {
    return this.#process.hasExited
  }

  /**
   * Waits until a client can connect, for at most a minute. After an abort the server goes on starting.
   *
   * @throws HypervaultError HV_EMBEDDED_START_FAILED
   */
  async waitUntilReady(connection: ServerConnection, signal?: AbortSignal): Promise<void> {
    const deadline = performance.now() + readyTimeoutMs
    while (!(await this.#isReady(connection))) {
      signal?.throwIfAborted()
      if (this.hasExited) throw await this.#describeFailure('the server did not start')
      if (performance.now() > deadline) throw await this.#describeFailure('the server is not ready after a minute')
      await tryPause(pollMs, signal)
    }
    signal?.throwIfAborted()
  }

  /** Stops the server: clients are disconnected, nothing is lost. Bounded: what does not stop is killed. */
  async shutDown(): Promise<void> {
    for (const [signal, timeoutMs] of shutDownSteps) {
      if (this.hasExited) return
      this.#process.signal(signal)
      await this.#process.waitForExit(timeoutMs)
    }
  }

  /** Ends the server and all its backends at once, as a power failure would. */
  async kill(): Promise<void> {
    if (this.hasExited) return
    await killWithChildren(this.pid)
    await this.#process.exited
  }

  // Another process on the port may accept and never answer, while the server has given up long ago.
  async #isReady(connection: ServerConnection): Promise<boolean> {
    return await Promise.race([canConnect(connection), this.#process.exited.then(() => false)])
  }

  async #describeFailure(what: string): Promise<Error> {
    const exitCode = this.hasExited ? await this.#process.exited : null
    return await describeStartFailure(what, { version: this.#version, exitCode, logFile: this.#folder.logFile })
  }
}

async function canConnect(connection: ServerConnection): Promise<boolean> {
  const client = new pg.Client({ ...connection, ssl: false, connectionTimeoutMillis: connectTimeoutMs })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch {
    return false
  }
  await client.end()
  return true
}
