import { hostname, userInfo } from 'node:os'
import { HypervaultError, isHypervaultError } from '../errors.ts'
import { pause } from '../pool/pause.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import { withServerSession, type ServerSession } from '../server/server-session.ts'

/*
 * One change of the catalog, and what became of it when the answer to its commit does not come.
 *
 *   before the commit is sent      nothing has changed, whatever happens
 *   after it                       another connection ends the transaction if it still waits for its commit, waits for
 *                                  the row of the epoch, which the transaction holds to its end, and looks whether the
 *                                  entry in the history is there: its number is never given twice
 *   the catalog answers nobody     nobody can tell: HV_OUTCOME_UNKNOWN
 */

/** Channel of the notifications; the payload is the epoch. */
export const TOPOLOGY_CHANNEL = 'hypervault_topology'

/** What is written into the history. */
export interface ChangeRecord {
  readonly action: string
  readonly details: Readonly<Record<string, unknown>>
  /** Who; default the user and the host. */
  readonly actor?: string | undefined
  /** Does all of it and takes it back: what would be refused is refused. Default false. */
  readonly isDryRun?: boolean | undefined
}

/** Who is written into the history when nobody is named. */
export function currentActor(): string {
  return `${userInfo().username}@${hostname()}`
}

/** What names a transaction on its server. */
interface TransactionName {
  readonly pid: string
  readonly xid: string
}

/** Longest time for one attempt to ask what became of a change, and the pause before the next. */
const ASK_ATTEMPT_MS = 1_000
const ASK_PAUSE_MS = 100

/** A change under way. */
export class Change<T> {
  readonly #record: ChangeRecord
  readonly #work: (session: ServerSession, epoch: number) => Promise<T>
  #name: TransactionName | undefined
  #historyId: string | undefined
  #outcome: { epoch: number; result: T } | undefined

  constructor(record: ChangeRecord, work: (session: ServerSession, epoch: number) => Promise<T>) {
    this.#record = record
    this.#work = work
  }

  /** What a change that was committed has given. */
  get outcome(): { epoch: number; result: T } {
    if (this.#outcome === undefined) throw new Error('bug: a change that was not made has no outcome')
    return this.#outcome
  }

  /** Does it all in one transaction, which the server ends by itself when nothing comes for `timeoutMs`. */
  run(session: ServerSession, timeoutMs: number): Promise<void> {
    const opening = ['begin', `set local idle_in_transaction_session_timeout = ${timeoutMs + 1_000}`]
    return session.transaction(opening, async () => {
      const epoch = await this.#raiseEpoch(session)
      const result = await this.#work(session, epoch)
      this.#historyId = await writeHistory(session, epoch, this.#record)
      this.#outcome = { epoch, result }
    })
  }

  /** Whether an error leaves open what became of the change: the commit was sent, and nobody has answered. */
  isUnknownAfter(error: unknown, ended: AbortSignal): boolean {
    return this.#outcome !== undefined && (ended.aborted || isHypervaultError(error, 'HV_CONNECTION_LOST'))
  }

  /**
   * Resolves when the change was committed.
   *
   * @throws `unanswered`, or a `HV_CONNECTION_LOST` that says so, when it was not; `HV_OUTCOME_UNKNOWN`
   */
  async settle(
    pool: ServerPool,
    { askMs, hint }: { readonly askMs: number; readonly hint: string | undefined },
    unanswered: unknown,
  ): Promise<void> {
    const until = performance.now() + askMs
    for (let leftMs = askMs; leftMs > 0; leftMs = until - performance.now()) {
      const isThere = await this.#ask(pool, Math.min(leftMs, ASK_ATTEMPT_MS))
      if (isThere === true) return
      if (isThere === false) throw isHypervaultError(unanswered) ? notCommitted(unanswered) : unanswered
      await pause(ASK_PAUSE_MS, undefined)
    }
    throw outcomeUnknown(unanswered, hint)
  }

  /** Undefined when the catalog does not say. */
  async #ask(pool: ServerPool, timeoutMs: number): Promise<boolean | undefined> {
    const bounds = { signal: undefined, connectionTimeoutMs: timeoutMs, statementTimeoutMs: timeoutMs }
    try {
      return await withServerSession(pool, bounds, (session) => this.#isThere(session))
    } catch (error) {
      if (!isHypervaultError(error)) throw error
      return undefined
    }
  }

  async #isThere(session: ServerSession): Promise<boolean> {
    const { pid = '', xid = '' } = this.#name ?? {}
    await session.read({
      text: 'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_xid::text = $2',
      values: [pid, xid],
    })
    await session.read({ text: 'select epoch from hypervault.topology for update' })
    const found = await session.read({
      text: 'select from hypervault.history where history_id = $1 and epoch = $2 and action = $3',
      values: [this.#historyId, String(this.outcome.epoch), this.#record.action],
    })
    return found.length > 0
  }

  async #raiseEpoch(session: ServerSession): Promise<number> {
    const [row] = await session.read({
      text: [
        'update hypervault.topology set epoch = epoch + 1',
        'returning epoch, pg_backend_pid(), pg_current_xact_id()::xid',
      ].join('\n'),
    })
    this.#name = { pid: row?.[1] ?? '', xid: row?.[2] ?? '' }
    return Number(row?.[0])
  }
}

/** Gives the number of the entry. */
async function writeHistory(session: ServerSession, epoch: number, record: ChangeRecord): Promise<string> {
  const { action, details, actor = currentActor() } = record
  const [row] = await session.read({
    text: [
      'with written as (',
      '  insert into hypervault.history (epoch, actor, action, details) values ($1, $2, $3, $4)',
      '  returning history_id',
      ')',
      `select history_id, pg_notify('${TOPOLOGY_CHANNEL}', $1::text) from written`,
    ].join('\n'),
    values: [String(epoch), actor, action, JSON.stringify(details)],
  })
  return row?.[0] ?? ''
}

function notCommitted(cause: unknown): HypervaultError<'HV_CONNECTION_LOST'> {
  const message = 'the catalog did not answer a commit: the change was not made'
  return new HypervaultError('HV_CONNECTION_LOST', message, { serverId: 'catalog' }, { cause })
}

function outcomeUnknown(cause: unknown, hint: string | undefined): HypervaultError<'HV_OUTCOME_UNKNOWN'> {
  const message =
    'the catalog did not answer a commit, and its outcome could not be queried: the change may have been made'
  const extras = { cause, ...(hint !== undefined && { hint }) }
  return new HypervaultError('HV_OUTCOME_UNKNOWN', message, { serverId: 'catalog' }, extras)
}
