import type { PoolClient } from 'pg'
import { HypervaultError } from '../errors.ts'

/** What becomes of a connection that comes back: lent again, closed politely, or cut. */
export type ReturnAs = 'reusable' | 'closed' | 'cut'

/** The right to use one connection of a server, until it is released or destroyed. */
export class Lease implements AsyncDisposable {
  readonly client: PoolClient
  readonly serverId: string
  readonly #giveBack: (lease: Lease, as: ReturnAs) => void
  #isReturned = false

  constructor(serverId: string, client: PoolClient, giveBack: (lease: Lease, as: ReturnAs) => void) {
    this.serverId = serverId
    this.client = client
    this.#giveBack = giveBack
  }

  get isReturned(): boolean {
    return this.#isReturned
  }

  /**
   * Gives the connection back. Only an idle session is lent out again; one that is dead, too old, inside a transaction
   * or still busy is destroyed.
   *
   * @throws `HV_CONNECTION_RETURNED` the second time
   */
  release(): void {
    this.#return('reusable')
  }

  /**
   * Cuts the connection. What is in flight fails, and the server is asked to cancel it.
   *
   * @throws `HV_CONNECTION_RETURNED` the second time
   */
  destroy(): void {
    this.#return('cut')
  }

  /**
   * Closes the connection with a goodbye to the server. For one that is idle.
   *
   * @throws `HV_CONNECTION_RETURNED` the second time
   */
  close(): void {
    this.#return('closed')
  }

  /** Throws `HV_CONNECTION_RETURNED` once the connection has been given back. */
  assertHeld(): void {
    if (!this.#isReturned) return
    const { serverId } = this
    const message = `this connection of server ${serverId} has been returned already`
    throw new HypervaultError('HV_CONNECTION_RETURNED', message, { serverId })
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReturned) this.release()
    return Promise.resolve()
  }

  #return(as: ReturnAs): void {
    this.assertHeld()
    this.#isReturned = true
    this.#giveBack(this, as)
  }
}
