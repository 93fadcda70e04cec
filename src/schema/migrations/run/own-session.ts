import type { Lease } from '../../../pool/lease.ts'
import { ServerSession } from '../../../server/server-session.ts'
import { quoteName } from '../../../sql/quote.ts'
import { searchPath } from '../../../sql/search-path.ts'
import { assertNotMovingSql } from '../../moving.ts'
import { tryLockShard } from '../../shard-lock.ts'
import type { MigrationSite, VisitOutcome } from './migration-site.ts'

/** The server's own bound comes first, so that it can say which it was. */
export const ROUND_TRIP_SLACK_MS = 60_000

/**
 * Works in a session in which names mean those of the shard, for what cannot be in a transaction. The session has the
 * lock of the shard for that time; afterwards nothing of all that is left in it, or it is cut.
 */
export async function withOwnSession(
  { pool, shardId, hstoreSchema, settings }: MigrationSite,
  work: (session: ServerSession, lease: Lease) => Promise<Exclude<VisitOutcome, 'held'>>,
): Promise<VisitOutcome> {
  // Bound: `blockTimeoutMs` of the pool. A run that is aborted still ends the shards at hand.
  await using lease = await pool.acquire()
  const session = new ServerSession(lease, settings.statementTimeoutMs + ROUND_TRIP_SLACK_MS)
  try {
    const [row] = await session.read(tryLockShard(shardId, 'layout'))
    if (row?.[0] !== 't') return 'held'
    await session.execute([
      assertNotMovingSql([shardId]),
      `set search_path to ${searchPath(shardId, quoteName(hstoreSchema))}`,
      `set lock_timeout = ${settings.lockTimeoutMs}`,
      `set statement_timeout = ${settings.statementTimeoutMs}`,
    ])
    return await work(session, lease)
  } finally {
    await tryClean(session, lease)
  }
}

async function tryClean(session: ServerSession, lease: Lease): Promise<void> {
  try {
    await session.execute(['discard all'])
  } catch {
    if (!lease.isReturned) lease.destroy()
  }
}
