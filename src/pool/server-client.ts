import { Client, type ClientConfig } from 'pg'
import { gateOf, guardPassword, passGate } from './connection-gate.ts'
import { endSession } from './end-session.ts'
import { isConnected, isReady, onParameter, startupParameters } from './pg-internals.ts'
import { sessionSettings } from './session-settings.ts'

/** What makes a session clean, under way. */
export interface PendingSweep {
  /** Resolves when the session is clean, or lost. */
  readonly end: Promise<void>
  /** Cuts the connection if the sweep is not finished by then. */
  bound(timeoutMs: number): void
}

/**
 * A `pg` client of a server's pool. It always has a listener for `error`, so that a backend that dies while it is lent
 * out never ends the program, and it knows when it is too old.
 */
export class ServerClient extends Client {
  /** Set once the socket failed: not to be lent out again. */
  isLost = false
  /** `performance.now()` after which it is replaced. */
  expiresAt = Infinity
  /** What makes the session clean, until it is. */
  sweep: PendingSweep | undefined
  /** Whether the start-up message names the settings of Hypervault. */
  sendsSettings = true
  readonly #reported = new Map<string, string>()
  /** Why no connection is opened at all. */
  readonly #refusal: Error | undefined
  #hasOwnSettings: boolean | undefined

  /** Told of a session that goes on at the server after its connection was cut. Resolves when the server has let it go. */
  onEnding: (whenGone: Promise<void>) => void = () => undefined

  constructor(config: ClientConfig = {}) {
    const passed = tryPass(config)
    super(passed.config)
    this.#refusal = passed.refusal
    guardPassword(this, gateOf(config))
    this.on('error', () => (this.isLost = true))
    onParameter(this, (name, value) => this.#reported.set(name, value))
  }

  /** True if the session was begun with the settings of Hypervault, so that `reset all` leads back to them. */
  get hasOwnSettings(): boolean {
    this.#hasOwnSettings ??= Object.entries({ ...sessionSettings, client_encoding: 'UTF8' }).every(
      ([name, value]) => this.#reported.get(name) === value,
    )
    return this.sendsSettings && this.#hasOwnSettings
  }

  /** Asked by pg, whose types do not tell, for the parameters of the start-up message. */
  getStartupConf(): Record<string, string> {
    return { ...startupParameters(this), ...(this.sendsSettings && sessionSettings) }
  }

  /**
   * Like pg's, but a failure also closes the socket, which pg leaves open when the password cannot be had; and what pg
   * throws at once (a port above 65535), and what the gate of the server refuses, is reported like every other failure.
   */
  override connect(): Promise<Client>
  override connect(callback: (error: Error) => void): void
  override connect(callback?: (error: Error) => void): Promise<Client> | void {
    if (callback === undefined) return super.connect()
    const report = (error: Error | null): void => {
      if (error !== null) this.cut()
      callback(error as Error)
    }
    try {
      if (this.#refusal !== undefined) throw this.#refusal
      super.connect(report)
    } catch (error) {
      report(error as Error)
      process.nextTick(() => this.emit('end'))
    }
  }

  /**
   * Cuts the connection. What is in flight fails at once; the server is asked to cancel it, because a backend that waits for
   * a lock or works does not notice that nobody listens any more.
   */
  cut(): void {
    const isOver = this.connection.stream.destroyed
    this.isLost = true
    if (!isOver && isConnected(this) && !isReady(this)) this.onEnding(endSession(this))
    else this.connection.stream.destroy()
  }
}

/** A pool of pg expects that a client can be made; what is wrong is told when it connects. */
function tryPass(config: ClientConfig): { readonly config: ClientConfig; readonly refusal?: Error } {
  try {
    return { config: passGate(config) }
  } catch (refusal) {
    return { config, refusal: refusal as Error }
  }
}

/**
 * Tells whether the next borrower may have this session: alive, young, no transaction open, no statement in flight. A
 * session that is inside a transaction would draw the next borrower into it.
 */
export function isReusable(client: ServerClient, now: number): boolean {
  if (client.isLost || now >= client.expiresAt) return false
  return (isReady(client) || client.sweep !== undefined) && client.getTransactionStatus() === 'I'
}
