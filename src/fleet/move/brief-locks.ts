import { isHypervaultError } from '../../errors.ts'
import type { ServerSession } from '../../server/server-session.ts'

/**
 * Longest wait for the locks in one attempt. All writers of the shard queue behind it, so it must be short; too short,
 * and it never gets through between transactions that follow each other closely.
 */
const LOCK_TIMEOUT_MS = 20
const FIRST_PAUSE_MS = 10
const LAST_PAUSE_MS = 500

/** Runs statements that lock tables which are in use, in one transaction and one round trip. False when others held one of them too long. */
export async function tryWithBriefLocks(session: ServerSession, statements: readonly string[]): Promise<boolean> {
  try {
    await session.execute(['begin', `set local lock_timeout = ${LOCK_TIMEOUT_MS}`, ...statements, 'commit'])
    return true
  } catch (error) {
    // A rollback that fails needs no word: the session is not idle then, and is destroyed when it comes back.
    await session.execute(['rollback']).catch(() => undefined)
    if (isHypervaultError(error, 'HV_SERVER_BUSY')) return false
    throw error
  }
}

/** Pause after an attempt, counted from 0: the others get longer and longer. */
export function pauseAfter(attempt: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** attempt, LAST_PAUSE_MS)
}
