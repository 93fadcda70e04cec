import type { ClientBase } from 'pg'

/**
 * The routine of the server that warns of a commit whose wait for a synchronous standby was cancelled: it is done on this server
 * and nowhere else for certain. The message of the warning is translated, its SQLSTATE that of any warning.
 */
const COMMIT_WAIT = 'SyncRepWaitForLSN'

/** Notices on a client when a commit went unreplicated, because its wait for a standby was cancelled. */
export class CommitWait {
  readonly #client: ClientBase
  readonly #onNotice: (notice: { readonly routine: string | undefined }) => void
  #wasCancelled = false

  constructor(client: ClientBase) {
    this.#client = client
    this.#onNotice = ({ routine }) => (this.#wasCancelled ||= routine === COMMIT_WAIT)
    client.on('notice', this.#onNotice)
  }

  /** Why what has just ended is not safe although it was done, if it is not. */
  take(): Error | undefined {
    if (!this.#wasCancelled) return undefined
    this.#wasCancelled = false
    return new Error('the server committed without waiting for its synchronous standby')
  }

  /** Hears nothing more. */
  end(): void {
    this.#client.removeListener('notice', this.#onNotice)
  }
}
