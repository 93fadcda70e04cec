import { HypervaultError } from '../errors.ts'

/**
 * Judges what pg rejects with, by SQLSTATE alone: a server that answers with an error has rolled back (`refused`); a
 * session that ended before the answer tells nothing (`lost`).
 */
export type Failure = { kind: 'refused'; sqlstate: string } | { kind: 'lost'; sqlstate: string | undefined }

/** SQLSTATEs that end a session, so that a statement in flight may or may not have been committed. */
const sessionEnders: ReadonlySet<string> = new Set([
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
  '40003', // statement_completion_unknown
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P04', // database_dropped
  '57P05', // idle_session_timeout
])

const CONNECTION_EXCEPTION = '08'

/** Classifies an error of a statement. */
export function classifyFailure(error: unknown): Failure {
  const sqlstate = sqlstateOf(error)
  if (sqlstate === undefined) return { kind: 'lost', sqlstate }
  const isLost = sessionEnders.has(sqlstate) || sqlstate.startsWith(CONNECTION_EXCEPTION)
  return { kind: isLost ? 'lost' : 'refused', sqlstate }
}

/** The routine of PostgreSQL in which a backend ends its session because it was asked to, or time has run out. */
const END_OF_SESSION = 'ProcessInterrupts'

/**
 * True for the last word of a PostgreSQL backend. It answers in order, so whoever gets this was the last it has read. A
 * pooler names no routine, and may have passed on more than it has answered.
 */
export function isLastWord(error: unknown): boolean {
  const { routine } = Object(error) as { routine?: unknown }
  return routine === END_OF_SESSION && classifyFailure(error).kind === 'lost'
}

/** What to do about a server that takes no writes. */
export const READ_ONLY_HINT = 'This server is a standby or read-only: connect to the primary.'

const READ_ONLY = '25006' // read_only_sql_transaction

/** True when a server refused a write because it takes none, or the transaction was to take none. */
export function isReadOnlyRefusal(sqlstate: string | undefined): boolean {
  return sqlstate === READ_ONLY
}

/** The SQLSTATE of an error that a server sent, else undefined. Socket errors have codes too, but not of five characters. */
export function sqlstateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error)) return undefined
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** The error of a connection that could not be opened. Nothing was executed. */
export function connectFailed(serverId: string, cause: unknown): HypervaultError<'HV_CONNECT_FAILED'> {
  const text = describeCause(cause)
  return new HypervaultError(
    'HV_CONNECT_FAILED',
    `could not connect to server ${serverId}: ${text}`,
    { serverId, cause: text },
    { cause },
  )
}

/** Text of an error; several addresses of one host fail with an AggregateError that has none of its own. */
function describeCause(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(describeCause).join(', ')
  if (!(cause instanceof Error)) return String(cause)
  return cause.message !== '' ? cause.message : ((cause as { code?: string }).code ?? cause.name)
}
