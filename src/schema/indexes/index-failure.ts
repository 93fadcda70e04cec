import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { sqlstateOf } from '../../pool/failure.ts'
import type { ServerRow } from '../../server/server-session.ts'
import { describeFailures } from '../../topology/like-failures.ts'
import { SHARD_MOVES } from '../moving.ts'

/** Why there is no index in a shard, or on a whole server. */
export interface IndexFailure {
  readonly serverId: string
  /** Not there when the server could not be reached. */
  readonly shardId?: number
  readonly code?: string
  readonly sqlstate?: string
  readonly message: string
}

/** What a refusal means here. The server's own message may quote a value of an entity. */
const meanings: Readonly<Record<string, string>> = {
  '22003': 'a value does not fit into the type of the cast', // numeric_value_out_of_range
  '22P02': 'a value cannot be read as the type of the cast', // invalid_text_representation
  '23505': 'two entities have the same value', // unique_violation
  '42501': 'the role does not own the shard', // insufficient_privilege
  '54000': 'a value is too long for a btree index, which takes 2,704 bytes', // program_limit_exceeded
  [SHARD_MOVES]: 'the shard is moving: complete, reverse or abort its move first',
  '57014': 'it was cancelled, or took longer than buildTimeoutMs', // query_canceled
}

/** Most blockers that a message names. */
const MAX_NAMED = 5

/** A failure as it is reported. */
export function toIndexFailure(serverId: string, shardId: number | undefined, error: unknown): IndexFailure {
  const sqlstate = sqlstateOf((error as Error).cause)
  const code = isHypervaultError(error) ? error.code : undefined
  const meaning = sqlstate === undefined || code !== 'HV_STATEMENT_FAILED' ? undefined : meanings[sqlstate]
  return Object.freeze({
    serverId,
    ...(shardId !== undefined && { shardId }),
    ...(code !== undefined && { code }),
    ...(sqlstate !== undefined && { sqlstate }),
    message: meaning ?? describe(error, code, sqlstate),
  })
}

function describe(error: unknown, code: string | undefined, sqlstate: string | undefined): string {
  if (code === 'HV_STATEMENT_FAILED') return `the server refused a statement with SQLSTATE ${sqlstate}`
  return error instanceof Error ? error.message : String(error)
}

/** The error of a wait for transactions that did not end; it names them. */
export function waitedTooLong(
  { serverId, shardId }: { serverId: string; shardId: number },
  lockTimeoutMs: number,
  blockers: readonly ServerRow[],
  cause: unknown,
): HypervaultError<'HV_SERVER_BUSY'> {
  const named = blockers.slice(0, MAX_NAMED).map(([pid, application, state, seconds]) => {
    const who = application === '' || application == null ? '' : `${application}, `
    return `pid ${pid} (${who}${state}, for ${seconds} s)`
  })
  const whom = named.length === 0 ? 'a lock' : named.join(', ')
  const message = `shard ${shardId} waited longer than ${lockTimeoutMs} ms for ${whom}`
  const hint = 'Wait until these transactions have ended, or end them, and start again; or raise lockTimeoutMs.'
  return new HypervaultError(
    'HV_SERVER_BUSY',
    message,
    { serverId },
    { cause: (cause as Error | undefined)?.cause, hint },
  )
}

/** One error for all shards that failed. */
export function indexFailed(
  name: string,
  failures: readonly IndexFailure[],
  completed: readonly number[],
): HypervaultError<'HV_INDEX_FAILED'> {
  const message = `index ${name} failed: ${describeFailures(failures).join('; ')}`
  return new HypervaultError('HV_INDEX_FAILED', message, { name, failures: [...failures], completed: [...completed] })
}
