import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { openFenceSql, raiseFenceSql, type FenceTarget } from '../../schema/fence-sql.ts'
import type { ServerSession } from '../../schema/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { pauseAfter, tryWithBriefLocks } from './brief-locks.ts'
import { pause } from './wait.ts'

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
    if (await tryWithBriefLocks(session, raiseFenceSql(fence, tables))) return startedAt
    if (performance.now() > until) throw blockedError(session.serverId, fence.shardId, limits.fenceTimeoutMs)
    await pause(pauseAfter(attempt), limits.signal)
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

function blockedError(serverId: string, shardId: number, waitedMs: number): HypervaultError<'HV_MOVE_BLOCKED'> {
  const message = `transactions on shard ${shardId} at server ${serverId} left no gap for the fence within ${waitedMs} ms`
  return new HypervaultError('HV_MOVE_BLOCKED', message, { serverId, shardId, blockers: [] })
}
