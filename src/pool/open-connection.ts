import { requestCancel } from './cancel-request.ts'
import { CommitWait } from './commit-wait.ts'
import type { Lease } from './lease.ts'
import { setPipelined } from './pg-internals.ts'
import { PreparedStatements } from './prepared-statements.ts'
import type { ServerClient } from './server-client.ts'

/** What the open connection of a channel consists of. */
export class OpenConnection {
  readonly lease: Lease
  readonly statements: PreparedStatements | undefined
  isClosing = false
  /** Set once a statement was sent. */
  wasUsed = false
  /** Set when the server ended the session by an error of its own. */
  wasEnded = false
  /** Set when the server has not taken a cancel request: it may do so later, whatever it is busy with then. */
  mayBeHit = false
  readonly commitWait: CommitWait
  readonly #onEnd: () => void
  #requests = 0
  #lastRequestEnd = -Infinity

  constructor(lease: Lease, preparedMax: number, onEnd: (connection: OpenConnection) => void) {
    this.lease = lease
    this.statements = preparedMax > 0 ? PreparedStatements.of(lease.client, preparedMax) : undefined
    this.#onEnd = () => onEnd(this)
    lease.client.once('end', this.#onEnd)
    this.commitWait = new CommitWait(lease.client)
    setPipelined(lease.client, true)
  }

  get client(): ServerClient {
    return this.lease.client as Lease['client'] & ServerClient
  }

  /** True while a cancel request is under way: it would hit whoever had this session next. */
  get isAsking(): boolean {
    return this.#requests > 0
  }

  /** Asks the server to cancel what it is busy with. Resolves when the request has ended. */
  async askToCancel(): Promise<void> {
    this.#requests += 1
    const wasTaken = await requestCancel(this.client)
    this.mayBeHit ||= !wasTaken
    this.#requests -= 1
    this.#lastRequestEnd = performance.now()
  }

  /** Whether a statement that was sent then may have been hit by a cancel request. */
  mayHaveCancelled(startedAt: number): boolean {
    return this.isAsking || this.mayBeHit || this.#lastRequestEnd >= startedAt
  }

  /** Leaves the connection as it was lent. Only while nothing is in flight. */
  detach(): void {
    this.lease.client.removeListener('end', this.#onEnd)
    this.commitWait.end()
    setPipelined(this.lease.client, false)
  }
}
