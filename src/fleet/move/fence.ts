import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { pause } from '../../pool/pause.ts'
import { within } from '../../pool/within.ts'
import { openFenceSql, openWritesSql, raiseFenceSql, type FenceTarget } from '../../schema/fence-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { pauseAfter, tryWithBriefLocks } from './brief-locks.ts'

/** When the fence could not be put up at once. */
export interface FenceLimits {
  readonly fenceTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/**
 * Puts the fence up: writers in flight are waited out, later ones are refused. Resolves to when the attempt that
 * succeeded began, from which on writers had to wait.
 *
 * @throws `HV_MOVE_BLOCKED` when a transaction on the shard outlasts the budget; no fence stands then
 */
export async function raiseFence(
  session: ServerSession,
  fence: FenceTarget,
  tables: readonly string[],
  limits: FenceLimits,
): Promise<number> {
  const until = performance.now() + limits.fenceTimeoutMs
  for (let attempt = 0; ; attempt += 1) {
    limits.signal?.throwIfAborted()
    const startedAt = performance.now()
    if (await tryWithBriefLocks(session, raiseFenceSql(fence, tables, { hasRows: true }))) return startedAt
    if (performance.now() > until) throw blockedError(session.serverId, fence.shardId, limits.fenceTimeoutMs)
    await pause(pauseAfter(attempt), limits.signal)
  }
}

/** A server that has just been started again, or a connection that was cut, is worth another attempt: writers wait. */
const OPEN_MS = 10_000
const OPEN_PAUSE_MS = 200

/** Longest time for one attempt on a connection. One that is dead says nothing; another one may be alive. */
const OPEN_ATTEMPT_MS = 2_000

/** With growing pauses about ten seconds. */
const SEQUENCE_TRIES = 25

/** A fence that is to be opened. */
export interface OpenedFence {
  readonly shardId: number
  /** Only a fence that was put up under the lease with this token. */
  readonly token?: number
  /** A session that is open already, for the first attempt: to connect would prolong the pause. */
  readonly session?: ServerSession
}

/** Lets the writers of a shard go on at a server. Tries again for some seconds when the server cannot be reached. */
export async function openFence(link: FleetLink, { shardId, token, session }: OpenedFence): Promise<void> {
  const onConnection = (): Promise<void> =>
    link.under(undefined).withSession((own) => tryOpen(own, shardId, token), undefined, OPEN_ATTEMPT_MS)
  const until = performance.now() + OPEN_MS
  let attempt = session === undefined ? onConnection : () => inTime(tryOpen(session, shardId, token), link.serverId)
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > until || !isHypervaultError(error)) throw error
      if (attempt === onConnection) await pause(OPEN_PAUSE_MS, undefined)
      attempt = onConnection
    }
  }
}

function inTime(work: Promise<void>, serverId: string): Promise<void> {
  const bounds = { signal: undefined, timeoutMs: OPEN_ATTEMPT_MS }
  return within(
    work,
    bounds,
    () => new HypervaultError('HV_CONNECTION_LOST', `server ${serverId} did not answer`, { serverId }),
  )
}

/** Opens a fence on a session. Throws `HV_SERVER_BUSY` when its sequences cannot be opened for about ten seconds. */
export async function openFenceOn(session: ServerSession, shardId: number): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await tryOpen(session, shardId, undefined)
    } catch (error) {
      if (attempt === SEQUENCE_TRIES || !isHypervaultError(error, 'HV_SERVER_BUSY')) throw error
      await pause(pauseAfter(attempt), undefined)
    }
  }
}

/** A transaction that has looked at a sequence keeps the sequences closed: then at least writes go on, and it is told. */
async function tryOpen(session: ServerSession, shardId: number, token: number | undefined): Promise<void> {
  if (await tryWithBriefLocks(session, [openFenceSql(shardId, token)])) return
  await session.execute([openWritesSql(shardId, token)])
  const { serverId } = session
  const message = `a transaction on server ${serverId} holds a sequence of shard ${shardId}, which stays closed until it ends`
  throw new HypervaultError('HV_SERVER_BUSY', message, { serverId })
}

function blockedError(serverId: string, shardId: number, waitedMs: number): HypervaultError<'HV_MOVE_BLOCKED'> {
  const message = `transactions on shard ${shardId} on server ${serverId} left no gap for the fence within ${waitedMs} ms`
  return new HypervaultError('HV_MOVE_BLOCKED', message, { serverId, shardId, blockers: [] })
}
