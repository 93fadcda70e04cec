import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { shardSchema } from '../../../key/shard-id.ts'
import type { Lease } from '../../../pool/lease.ts'
import { ServerSession } from '../../server-session.ts'
import type { CodeMigration, MigrationShard } from '../migration.ts'
import { deleteBegunSql, insertAppliedSql, insertBegunSql, selectStep, updateDoneSql } from '../state/state-sql.ts'
import { openBatchSql, openShardSql } from './batch-sql.ts'
import type { MigrationSite, VisitOutcome } from './migration-site.ts'
import { ROUND_TRIP_SLACK_MS, withOwnSession } from './own-session.ts'

/** Statements that would end the transaction of the migration, or seem to begin another one. */
const CONTROL = /^\s*(?:begin|start\s+transaction|commit|end|abort|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b/i

/** Runs a program in a shard; in one transaction, unless it says that it has none. */
export async function runCode(site: MigrationSite, migration: CodeMigration): Promise<VisitOutcome> {
  const up = await migration.load()
  if (!migration.isTransactional) return runOutside(site, migration, up)
  const { pool, shardId, hstoreSchema, settings } = site
  await using lease = await pool.acquire()
  const session = new ServerSession(lease, settings.statementTimeoutMs + ROUND_TRIP_SLACK_MS)
  const opening = ['begin', ...openBatchSql([shardId], settings), openShardSql(shardId, hstoreSchema)]
  await session.transaction(opening, async () => {
    await up(new ShardHandle(site, lease, { isTransactional: true }))
    await session.execute([insertAppliedSql(shardId, migration)])
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
      await up(new ShardHandle(site, lease, { isTransactional: false }))
    } catch (error) {
      await session.execute([deleteBegunSql(shardId, migration)]).catch(() => undefined)
      throw error
    }
    await session.execute([updateDoneSql(shardId, migration)])
    return 'done'
  })
}

class ShardHandle implements MigrationShard {
  readonly shardId: number
  readonly serverId: string
  readonly schema: string
  readonly #lease: Lease
  readonly #isTransactional: boolean

  constructor({ shardId }: MigrationSite, lease: Lease, { isTransactional }: { isTransactional: boolean }) {
    this.shardId = shardId
    this.serverId = lease.serverId
    this.schema = shardSchema(shardId)
    this.#lease = lease
    this.#isTransactional = isTransactional
  }

  query<R extends QueryResultRow>(query: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult<R>> {
    this.#lease.assertHeld()
    const text = typeof query === 'string' ? query : query.text
    if (this.#isTransactional && CONTROL.test(text)) {
      throw new Error('a migration has a transaction of its own: it can neither begin nor end one')
    }
    return this.#lease.client.query<R>(query as QueryConfig, values && [...values])
  }
}
