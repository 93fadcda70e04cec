import type { HypervaultError } from '../errors.ts'
import type { Lease } from '../pool/lease.ts'
import { tryPause } from '../pool/pause.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import { within } from '../pool/within.ts'
import { silentError } from './server-error.ts'

/** How often a server is asked for a sign of life. */
const INTERVAL_MS = 1_000

/**
 * A server that gives none for so long counts as down. Too short gives up a server that is only busy; too long makes a
 * person wait for one that is frozen.
 */
const ANSWER_MS = 15_000

/**
 * Asks a server whether it still answers, on a connection of its own, while statements run there that may take hours, such
 * as the building of an index. When it does not, all connections of the pool are cut, and with them the statements end.
 * Needs one connection of the pool.
 */
export class AnswerWatch implements AsyncDisposable {
  readonly #pool: ServerPool
  readonly #end = new AbortController()
  readonly #loop: Promise<void>
  #problem: HypervaultError | undefined

  constructor(pool: ServerPool) {
    this.#pool = pool
    this.#loop = this.#run()
  }

  /** `HV_CONNECTION_LOST` once the server did not answer: why everything else on the pool has failed. */
  get problem(): HypervaultError | undefined {
    return this.#problem
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#loop
  }

  /** A connection that cannot be had, or is lost, says nothing: the statements meet the same, and say so. Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted && this.#problem === undefined) {
      try {
        await using lease = (await this.#pool.acquire({ signal })).vouch()
        await this.#ask(lease)
      } catch {
        await tryPause(INTERVAL_MS, signal)
      }
    }
  }

  /** Resolves when the server is silent. Rejects when the connection is lost, or at the end of the watch. */
  async #ask(lease: Lease): Promise<void> {
    const { signal } = this.#end
    while (this.#problem === undefined) {
      // Bound: within(), on the next line.
      const answer = lease.client.query('select')
      await within<unknown>(answer, { signal, timeoutMs: ANSWER_MS }, () => this.#giveUp())
      await tryPause(INTERVAL_MS, signal)
      signal.throwIfAborted()
    }
  }

  #giveUp(): void {
    this.#problem = silentError(this.#pool.serverId, ANSWER_MS)
    void this.#pool.close({ timeoutMs: 0 })
  }
}
