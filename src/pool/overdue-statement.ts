import { requestCancel } from './cancel-request.ts'
import { CommitWait } from './commit-wait.ts'
import type { Lease } from './lease.ts'

/** How long the server has to answer to a cancel request before the connection is cut. */
const GRACE_MS = 1_000

/**
 * Ends a statement on a connection of its own whose time is over: the server is asked to cancel it, which gives a definite
 * answer; when it does not answer to that either, the connection is cut.
 */
export class OverdueStatement {
  readonly #lease: Lease
  readonly #commitWait: CommitWait
  readonly #timer: NodeJS.Timeout
  readonly #request: Promise<void>

  constructor(lease: Lease) {
    this.#lease = lease
    this.#commitWait = new CommitWait(lease.client)
    this.#timer = setTimeout(() => this.#cut(), GRACE_MS)
    this.#request = requestCancel(lease.client).then((wasTaken) => {
      if (!wasTaken) this.#cut()
    })
  }

  /** Resolves when no request is under way, which would hit what comes next; throws if what was done is not safe. */
  async end(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#request
    this.#commitWait.end()
    const error = this.#commitWait.take()
    if (error !== undefined) throw error
  }

  #cut(): void {
    if (!this.#lease.isReturned) this.#lease.destroy()
  }
}
