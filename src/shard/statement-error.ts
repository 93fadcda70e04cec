import type { PoolClient } from 'pg'
import { HypervaultError } from '../errors.ts'
import { classifyFailure, isReadOnlyRefusal, READ_ONLY_HINT, sqlstateOf } from '../pool/failure.ts'
import { isClosedSequence } from './closed-sequence.ts'

/** Where a statement ran, and whether it writes. */
export interface StatementSite {
  readonly serverId: string
  readonly shardId: number
  readonly isWrite: boolean
}

/** SQLSTATEs of a schema, table or function that is not there. */
const missing: ReadonlySet<string> = new Set([
  '3F000', // invalid_schema_name
  '42P01', // undefined_table
])

const CANCELED = '57014' // query_canceled

/** What the fence of a move raises; its detail says in JSON where the shard goes. */
const FENCED = 'HV001'

/** The coded error of a statement that pg rejected; the original is its cause. */
export function statementError(cause: unknown, site: StatementSite): HypervaultError {
  const failure = classifyFailure(cause)
  if (failure.kind === 'lost') return lostError(cause, site, failure.sqlstate)
  const { serverId, shardId } = site
  const { sqlstate } = failure
  const where = `shard ${shardId} on server ${serverId}`
  if (isFenced(cause)) return movedError(cause, site)
  if (missing.has(sqlstate)) {
    return new HypervaultError('HV_SHARD_MISSING', `${where} does not exist`, { serverId, shardId }, { cause })
  }
  const message = `a statement in ${where} failed with SQLSTATE ${sqlstate}`
  const details = { serverId, shardId, sqlstate }
  if (!isReadOnlyRefusal(sqlstate)) return new HypervaultError('HV_STATEMENT_FAILED', message, details, { cause })
  const text = `${message}: the server is a standby or read-only`
  return new HypervaultError('HV_STATEMENT_FAILED', text, details, { cause, hint: READ_ONLY_HINT })
}

/** The coded error of a statement whose time was over and that the server has cancelled, or that had not been sent again. */
export function overdueError(
  cause: unknown,
  { serverId, shardId, timeoutMs }: { readonly serverId: string; readonly shardId: number; readonly timeoutMs: number },
): HypervaultError<'HV_STATEMENT_FAILED'> {
  const where = `shard ${shardId} on server ${serverId}`
  const message = `a statement in ${where} was cancelled after ${timeoutMs} ms, its time: nothing was executed`
  return new HypervaultError('HV_STATEMENT_FAILED', message, { serverId, shardId, sqlstate: CANCELED }, { cause })
}

/** The coded error of a read of several shards: it names none of them, and tells only by its code what has happened. */
export function manyShardsError(cause: unknown, serverId: string, shards: number): HypervaultError {
  const { kind, sqlstate } = classifyFailure(cause)
  const where = `${shards} shards on server ${serverId}`
  if (kind === 'refused') {
    const message = `a statement in ${where} failed with SQLSTATE ${sqlstate}`
    return new HypervaultError('HV_STATEMENT_FAILED', message, { serverId, sqlstate }, { cause })
  }
  const details = { serverId, ...(sqlstate !== undefined && { sqlstate }) }
  return new HypervaultError('HV_CONNECTION_LOST', `the connection ended during a read of ${where}`, details, { cause })
}

function lostError(cause: unknown, site: StatementSite, sqlstate: string | undefined): HypervaultError {
  const { serverId, shardId, isWrite } = site
  const details = { serverId, shardId, ...(sqlstate !== undefined && { sqlstate }) }
  const message = `the connection ended during a statement in shard ${shardId} on server ${serverId}`
  if (!isWrite) return new HypervaultError('HV_CONNECTION_LOST', message, details, { cause })
  return new HypervaultError('HV_OUTCOME_UNKNOWN', `${message}: the write may or may not have been stored`, details, {
    cause,
  })
}

/**
 * The error of a statement that the caller wrote. A server's error stays as it is, but that of a fence; that of a dead
 * connection has no code in pg, and gets one. A server that takes no writes leaves its hint empty, and that is filled in.
 */
export function callerError(
  error: unknown,
  { serverId, shardId, isDead }: { readonly serverId: string; readonly shardId: number; readonly isDead: boolean },
): unknown {
  if (isFenced(error)) return movedError(error, { serverId, shardId })
  if (isReadOnlyRefusal(sqlstateOf(error))) (error as { hint?: string }).hint ??= READ_ONLY_HINT
  const failure = classifyFailure(error)
  if (failure.kind === 'refused' || failure.sqlstate !== undefined || !isDead) return error
  const message = `the connection to server ${serverId} ended while a statement was running`
  return new HypervaultError('HV_CONNECTION_LOST', message, { serverId, shardId }, { cause: error })
}

/** True when nothing can be sent on a connection any more. */
export function isDead(client: PoolClient): boolean {
  return (client as { isLost?: boolean }).isLost === true || client.connection.stream.destroyed
}

/** The error of a transaction whose connection ended during its commit. */
export function commitUnknown(
  cause: unknown,
  { serverId, shardId }: Omit<StatementSite, 'isWrite'>,
): HypervaultError<'HV_COMMIT_UNKNOWN'> {
  const sqlstate = sqlstateOf(cause)
  const details = { serverId, shardId, ...(sqlstate !== undefined && { sqlstate }) }
  const message = `the connection ended during a commit in shard ${shardId} on server ${serverId}`
  return new HypervaultError('HV_COMMIT_UNKNOWN', `${message}: either all of it was stored or nothing`, details, {
    cause,
  })
}

/** How far down a chain of causes to look: wrappers of query builders are one or two deep. */
const MAX_DEPTH = 8

/** An error and its causes. */
export function* causesOf(error: unknown): Generator {
  for (let depth = 0, each = error; each != null && depth < MAX_DEPTH; depth += 1) {
    yield each
    each = (each as { cause?: unknown }).cause
  }
}

/** The SQLSTATE of an error, or of what caused it. */
export function deepSqlstate(error: unknown): string | undefined {
  for (const each of causesOf(error)) {
    const sqlstate = sqlstateOf(each)
    if (sqlstate !== undefined) return sqlstate
  }
  return undefined
}

/** True for the refusal of a fence, or of a sequence behind it. */
export function isFenced(error: unknown): boolean {
  return sqlstateOf(error) === FENCED || isClosedSequence(error)
}

/**
 * The error of a statement that a fence refused. Nothing was written: its trigger runs before the first row, and a draw that
 * is refused takes the whole statement back.
 */
export function movedError(
  cause: unknown,
  { serverId, shardId }: Omit<StatementSite, 'isWrite'>,
): HypervaultError<'HV_SHARD_MOVED'> {
  const fence = readFence((cause as { detail?: unknown }).detail)
  const message = `shard ${shardId} moves away from server ${serverId}: its fence refused a statement`
  return new HypervaultError('HV_SHARD_MOVED', message, { serverId, shardId, ...fence }, { cause })
}

function readFence(detail: unknown): { epoch?: number; target?: string } {
  try {
    const { epoch, target } = JSON.parse(String(detail)) as { epoch?: unknown; target?: unknown }
    return { ...(typeof epoch === 'number' && { epoch }), ...(typeof target === 'string' && { target }) }
  } catch {
    return {}
  }
}
