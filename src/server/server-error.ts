import { HypervaultError } from '../errors.ts'
import { classifyFailure, READ_ONLY_HINT } from '../pool/failure.ts'

const LOCK_NOT_AVAILABLE = '55P03' // lock_not_available

/** What to do about a refusal that is likely while shards are made. */
const hints: Readonly<Record<string, string>> = {
  '42501': 'Connect as the owner of the shards, which also needs: grant create on database … to …', // insufficient_privilege
  '53200': 'Lower shardsPerTransaction, or raise max_locks_per_transaction on that server.', // out_of_memory
  '25006': READ_ONLY_HINT, // read_only_sql_transaction
}

/** The coded error of a statement outside any shard; the original is its cause. */
export function serverError(serverId: string, cause: unknown): HypervaultError {
  const failure = classifyFailure(cause)
  if (failure.kind === 'lost') return lostError(serverId, cause, failure.sqlstate)
  if (failure.sqlstate === LOCK_NOT_AVAILABLE) return busyError(serverId, cause)
  const { sqlstate } = failure
  const message = `server ${serverId} refused a statement with SQLSTATE ${sqlstate}: ${(cause as Error).message}`
  const hint = hints[sqlstate]
  const extras = { cause, ...(hint !== undefined && { hint }) }
  return new HypervaultError('HV_STATEMENT_FAILED', message, { serverId, sqlstate }, extras)
}

/** The error of a statement that a server has not answered in time, so that its connection was cut. */
export function silentError(serverId: string, timeoutMs: number, cause?: unknown): HypervaultError {
  const message = `${nameOf(serverId)} did not answer a statement within ${timeoutMs} ms: its connection was cut`
  return new HypervaultError('HV_CONNECTION_LOST', message, { serverId }, { cause })
}

function lostError(serverId: string, cause: unknown, sqlstate: string | undefined): HypervaultError {
  const details = { serverId, ...(sqlstate !== undefined && { sqlstate }) }
  return new HypervaultError('HV_CONNECTION_LOST', `the connection to ${nameOf(serverId)} ended`, details, { cause })
}

function busyError(serverId: string, cause: unknown): HypervaultError {
  const message = `server ${serverId} is busy: another provisioning, or a transaction on a shard, held a lock too long`
  return new HypervaultError('HV_SERVER_BUSY', message, { serverId }, { cause })
}

/** The catalog of a fleet is reached like a server, but is none of the fleet's. */
function nameOf(serverId: string): string {
  return serverId === 'catalog' ? 'the catalog' : `server ${serverId}`
}
