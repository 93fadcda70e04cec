import { HypervaultError } from '../../errors.ts'
import { listStatements } from '../../sql/statement-text.ts'

/*
 * What is asked of a pool runs by itself, on whatever connection is free: a transaction that it left open would be undone,
 * and what holds until the end of a transaction would be over at once. PostgreSQL answers with success.
 */

/** Told at once of most texts: one of these words begins a statement that may be of no use here. */
const SUSPECT =
  /(?:^|[;/(\s])(?:begin|start|commit|end|abort|rollback|savepoint|release|prepare|set|lock|declare|listen)\b/i
const ONE_PLAIN = /^\s*(?:select|insert|update|delete|with|create|alter|drop)\b[^;]*;?\s*$/i

const BEGIN = /^(?:begin|start transaction)\b/
const END = /^(?:commit|end|abort|rollback|prepare transaction)\b(?! prepared)/
const IN_TRANSACTION = /^(?:savepoint|release|rollback(?: work| transaction)? to)\b/

/** What is over with its transaction. `set transaction`, `set constraints` and `set local` are. */
const MOMENTARY = /^(?:set (?:local|transaction|constraints)\b|lock\b|declare\b(?!.*\bwith hold\b)|listen\b)/

/** Takes a lock that belongs to the session. The session goes to the next borrower without it. */
const SESSION_LOCK = /\bpg_(?:try_)?advisory_lock(?:_shared)?\b/i
const SESSION_UNLOCK = /\bpg_advisory_unlock/i

/** Throws `HV_STATEMENT_REFUSED` for a text that would have no effect although PostgreSQL does not refuse it. */
export function assertLasting(shardId: number, text: unknown): void {
  if (typeof text !== 'string') return
  const why = findFutility(text)
  if (why === undefined) return
  const message = `a statement was not run through the pool of shard ${shardId}: ${why}`
  const hint = 'Use transaction(), or a dedicated client: const client = await pool.connect()'
  throw new HypervaultError('HV_STATEMENT_REFUSED', message, { shardId }, { hint })
}

/** Why a text that is run by itself would have no effect; undefined if it has one. */
export function findFutility(text: string): string | undefined {
  if (SESSION_LOCK.test(text) && locksForNothing(text)) return 'its lock would be released at once'
  if (ONE_PLAIN.test(text) || !SUSPECT.test(text)) return undefined
  const statements = listStatements(text)
  const [lastBegin, lastEnd] = [lastOf(statements, BEGIN), lastOf(statements, END)]
  if (lastBegin > lastEnd) return 'it begins a transaction, which would be rolled back'
  if (lastBegin === -1 && statements.some((each) => END.test(each) || IN_TRANSACTION.test(each))) {
    return 'it ends a transaction or savepoint that is not open'
  }
  const last = statements.findLast((each) => !END.test(each))
  return last !== undefined && MOMENTARY.test(last) ? 'its effect would end with the statement' : undefined
}

function locksForNothing(text: string): boolean {
  const statements = listStatements(text)
  return statements.some((each) => SESSION_LOCK.test(each)) && !statements.some((each) => SESSION_UNLOCK.test(each))
}

function lastOf(statements: readonly string[], kind: RegExp): number {
  return statements.findLastIndex((statement) => kind.test(statement) && !IN_TRANSACTION.test(statement))
}
