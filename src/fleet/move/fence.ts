import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { openFenceSql, raiseFenceSql, type FenceTarget } from '../../schema/fence-sql.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { pause } from './wait.ts'

/** When the fence could not be put up at once. */
export interface FenceLimits {
  readonly fenceTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

/**
 * Longest wait for the locks in one attempt. All writers of the shard queue behind it, so it must be short; too short,
 * and it never gets through between transactions that follow each other closely.
 */
const LOCK_TIMEOUT_MS = 20
const FIRST_PAUSE_MS = 10
const LAST_PAUSE_MS = 500

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
    if (await tryRaise(session, fence, tables)) return startedAt
    if (performance.now() > until) throw blockedError(session.serverId, fence.shardId, limits.fenceTimeoutMs)
    await pause(Math.min(FIRST_PAUSE_MS * 2 ** attempt, LAST_PAUSE_MS), limits.signal)
  }
}

/** A server that has just been started again, or a connection that was cut, is worth another attempt: writers wait. */
const OPEN_TRIES = 50
const OPEN_PAUSE_MS = 200

/** Lets the writers of a shard go on at a server. Tries again for some seconds when the server cannot be reached. */
export async function openFence(link: FleetLink, shardId: number): Promise<void> {
  for (let tries = OPEN_TRIES; ; tries -= 1) {
    try {
      await link.withSession((session) => session.execute([openFenceSql(shardId)]))
      return
    } catch (error) {
      if (tries === 0 || !isHypervaultError(error)) throw error
      await pause(OPEN_PAUSE_MS, undefined)
    }
  }
}

async function tryRaise(session: ServerSession, fence: FenceTarget, tables: readonly string[]): Promise<boolean> {
  try {
    const opening = ['begin', `set local lock_timeout = ${LOCK_TIMEOUT_MS}`, ...raiseFenceSql(fence, tables)]
    await session.transaction(opening, () => Promise.resolve())
    return true
  } catch (error) {
    if (isHypervaultError(error, 'HV_SERVER_BUSY')) return false
    throw error
  }
}

function blockedError(serverId: string, shardId: number, waitedMs: number): HypervaultError<'HV_MOVE_BLOCKED'> {
  const message = `transactions on shard ${shardId} at server ${serverId} left no gap for the fence within ${waitedMs} ms`
  return new HypervaultError('HV_MOVE_BLOCKED', message, { serverId, shardId, blockers: [] })
}
