import { assertCallOptions } from '../arguments/call-options.ts'
import { findBinaries } from './binaries.ts'
import { launchServer, type LaunchedServer } from './launch.ts'
import { Postmaster } from './postmaster.ts'
import type { PostgresVersion } from './postgres-version.ts'
import { acquireRuntime, type Runtime } from './runtime-folder.ts'
import { formatConnectionString, type ServerConnection } from './server-connection.ts'
import type { ServerFolder } from './server-folder.ts'
import { formatSettings, type Settings } from './settings.ts'

/** What `EmbeddedServer.start()` takes. */
export interface EmbeddedServerOptions {
  /** Default 18, or the version in the folder of HYPERVAULT_PG_BIN. */
  version?: PostgresVersion | undefined
  /** Settings of postgresql.conf, before the defaults of a server that is thrown away. */
  settings?: Settings | undefined
  /** Ends the start. */
  signal?: AbortSignal | undefined
}

/**
 * A real PostgreSQL server out of npm, for development, tests and the demo: no Docker, no installation, and nothing left
 * behind, whatever way Node.js ends.
 *
 * What one server is made of, in the order in which it comes to be; it goes in the opposite order:
 *
 *   binaries        found in node_modules, or in the folder of HYPERVAULT_PG_BIN
 *   runtime folder  the same binaries, runnable; shared by the servers of one version in this Node.js
 *   server folder   data and log of this server, owned by the user that PostgreSQL runs as
 *   postmaster      one run of `postgres` on the data
 *
 * Both folders have a watcher: a `sh` that removes them when this Node.js is gone, and ends the postmaster before that.
 * The watcher exists before its folder, and knows a process before that process does anything.
 *
 * | state   | reached by                         | postmaster | folder |
 * |---------|------------------------------------|------------|--------|
 * | running | start(), startAgain()              | yes        | yes    |
 * | down    | shutDown(), kill(), its own crash  | no         | yes    |
 * | stopped | stop()                             | no         | no     |
 *
 * Calls are carried out one after the other.
 */
export class EmbeddedServer implements AsyncDisposable {
  /** Host, port, user, password, database: what `pg` takes. */
  readonly connection: ServerConnection
  /** The major version of PostgreSQL. */
  readonly version: number
  readonly #runtime: Runtime
  readonly #folder: ServerFolder
  #postmaster: Postmaster
  #isStopped = false
  #lastCall: Promise<unknown> = Promise.resolve()

  /**
   * Starts a server; about a second.
   *
   * @throws HypervaultError HV_EMBEDDED_MISSING, HV_EMBEDDED_START_FAILED; an abort undoes what was done
   */
  static async start(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
    assertCallOptions('EmbeddedServer.start', options)
    // What cannot be written is refused before anything is made.
    formatSettings(options.settings)
    options.signal?.throwIfAborted()
    const runtime = await acquireRuntime(await findBinaries(options.version))
    try {
      const settings = formatSettings(options.settings, runtime.version)
      return new EmbeddedServer(await launchServer(runtime, settings, options.signal))
    } catch (error) {
      await runtime.release()
      throw error
    }
  }

  private constructor({ connection, runtime, folder, postmaster }: LaunchedServer) {
    this.connection = connection
    this.version = runtime.version
    this.#runtime = runtime
    this.#folder = folder
    this.#postmaster = postmaster
  }

  get host(): string {
    return this.connection.host
  }

  get port(): number {
    return this.connection.port
  }

  get user(): string {
    return this.connection.user
  }

  get password(): string {
    return this.connection.password
  }

  get database(): string {
    return this.connection.database
  }

  get connectionString(): string {
    return formatConnectionString(this.connection)
  }

  /** Process id of the postmaster of the last start. */
  get pid(): number {
    return this.#postmaster.pid
  }

  /** Stops the server and removes its data. Safe twice. Bounded: what does not stop within 10 seconds is killed. */
  async stop(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#isStopped) return
      this.#isStopped = true
      await this.#postmaster.shutDown()
      await this.#folder.remove()
      await this.#runtime.release()
    })
  }

  /** Stops the server and keeps its data for `startAgain()`. */
  async shutDown(): Promise<void> {
    await this.#inTurn(() => this.#postmaster.shutDown())
  }

  /** Ends the server as a power failure would, and keeps its data for `startAgain()`. */
  async kill(): Promise<void> {
    await this.#inTurn(() => this.#postmaster.kill())
  }

  /**
   * Starts the server again after `shutDown()` or `kill()`, on the same port and data. A running one is left alone.
   *
   * @throws HypervaultError HV_EMBEDDED_START_FAILED, also when another process has taken the port
   */
  async startAgain(options: { signal?: AbortSignal } = {}): Promise<void> {
    assertCallOptions('startAgain', options)
    const { signal } = options
    await this.#inTurn(async () => {
      if (this.#isStopped) throw new Error('this server was stopped, and its data was removed: start a new one')
      if (!this.#postmaster.hasExited) return
      this.#postmaster = new Postmaster(this.#folder, this.#runtime, this.port)
      await this.#postmaster.waitUntilReady(this.connection, signal)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#lastCall.then(work)
    this.#lastCall = turn.catch(() => {})
    await turn
  }
}
