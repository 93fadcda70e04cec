import type { PoolClient } from 'pg'
import { HypervaultError } from '../errors.ts'
import type { ServerClient } from './server-client.ts'
import { Sweep } from './sweep.ts'

/** What becomes of a connection that comes back: lent again, closed politely, or cut. */
export type ReturnAs = 'reusable' | 'closed' | 'cut'

/** Who keeps a connection beyond one piece of work. */
export interface LeaseHolder {
  /** True while nothing is in flight on the connection. */
  readonly isIdle: boolean
  /** Returns the lease at once. Only called while idle. */
  giveUp(): void
}

/** The right to use one connection of a server, until it is released or destroyed. */
export class Lease implements AsyncDisposable {
  readonly client: PoolClient
  readonly serverId: string
  readonly #giveBack: (lease: Lease, as: ReturnAs) => void
  #isReturned = false
  #isVouchedFor = false
  #isSpoilt = false

  constructor(serverId: string, client: PoolClient, giveBack: (lease: Lease, as: ReturnAs) => void) {
    this.serverId = serverId
    this.client = client
    this.#giveBack = giveBack
  }

  get isReturned(): boolean {
    return this.#isReturned
  }

  /** True while nothing is sent that could leave anything in the session. */
  get isVouchedFor(): boolean {
    return this.#isVouchedFor
  }

  /** Says that only statements of Hypervault are sent, which leave nothing behind. Without that a session is swept. */
  vouch(): this {
    this.#isVouchedFor = true
    return this
  }

  /** Says that a statement of a caller is sent, whatever was said before. */
  taint(): void {
    this.#isVouchedFor = false
  }

  /** Says that the session keeps something that no sweep takes away, so that it is closed when it comes back. */
  spoil(): void {
    this.#isSpoilt = true
  }

  /**
   * Sends what makes the session clean behind the statement that was sent last. Nothing more may be sent.
   */
  sweepBehind(): void {
    Sweep.send(this.client as unknown as ServerClient)
  }

  /**
   * Gives the connection back. Only an idle session is lent out again, and swept before; one that is dead, too old,
   * inside a transaction or still busy is destroyed.
   *
   * @throws `HV_CONNECTION_RETURNED` the second time
   */
  release(): void {
    this.#return(this.#isSpoilt ? 'closed' : 'reusable')
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
    const message = `this connection to server ${serverId} has already been returned`
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
