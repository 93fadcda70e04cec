import { ServerSession } from '../../../server/server-session.ts'
import type { CodeMigration } from '../migration.ts'
import { deleteBegunSql, insertAppliedSql, insertBegunSql, selectStep, updateDoneSql } from '../state/state-sql.ts'
import { openBatchSql, openShardSql } from './batch-sql.ts'
import type { MigrationSite, VisitOutcome } from './migration-site.ts'
import { ROUND_TRIP_SLACK_MS, withOwnSession } from './own-session.ts'
import { ShardHandle } from './shard-handle.ts'

/** Runs a program in a shard; in one transaction, unless it says that it has none. */
export async function runCode(site: MigrationSite, migration: CodeMigration): Promise<VisitOutcome> {
  const up = await migration.load()
  if (!migration.isTransactional) return runOutside(site, migration, up)
  const { pool, shardId, hstoreSchema, settings } = site
  // Bound: `blockTimeoutMs` of the pool. A run that is aborted still ends the shards at hand.
  await using lease = await pool.acquire()
  const session = new ServerSession(lease, settings.statementTimeoutMs + ROUND_TRIP_SLACK_MS)
  const opening = ['begin', ...openBatchSql([shardId], settings), openShardSql(shardId, hstoreSchema)]
  await session.transaction(opening, async () => {
    const handle = new ShardHandle(shardId, lease, { isTransactional: true })
    await handle.run(up)
    await session.execute([insertAppliedSql(shardId, migration)])
    handle.assertAwaited()
  })
  return 'done'
}

/** Such a program must be one that can be run again: nobody knows how far it came when it ends in the middle. */
function runOutside(
  site: MigrationSite,
  migration: CodeMigration,
  up: Awaited<ReturnType<CodeMigration['load']>>,
): Promise<VisitOutcome> {
  return withOwnSession(site, async (session, lease) => {
    const { shardId } = site
    await session.execute([insertBegunSql(shardId, migration)])
    const [row] = await session.read(selectStep(shardId, migration))
    if (row?.[0] === 't') return 'found'
    try {
      await new ShardHandle(shardId, lease, { isTransactional: false }).run(up)
    } catch (error) {
      await session.execute([deleteBegunSql(shardId, migration)]).catch(() => undefined)
      throw error
    }
    await session.execute([updateDoneSql(shardId, migration)])
    return 'done'
  })
}
