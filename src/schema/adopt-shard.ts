import type { ServerPool } from '../pool/server-pool.ts'
import { withServerSession } from '../server/server-session.ts'
import { findIncompatible } from './find-incompatible.ts'
import { readServerFacts, readShards } from './inspect.ts'
import { layoutMigration } from './migrations/built-in.ts'
import { insertLayoutSql } from './migrations/state/state-sql.ts'
import { assertPlaceable } from './placement.ts'
import type { ProvisionSettings } from './provision-options.ts'
import { ServerProvision } from './server-provision.ts'

/**
 * Makes a shard that is there a whole one, by the road that provisioning takes, and writes that down in it.
 *
 * @throws `HV_SHARD_INCOMPATIBLE`, and what provisioning throws
 */
export async function adoptShard(pool: ServerPool, shardId: number, settings: ProvisionSettings): Promise<void> {
  const inspection = await withServerSession(pool, settings, async (session) => ({
    ...(await readServerFacts(session)),
    shards: await readShards(session, [shardId]),
  }))
  assertPlaceable([], await findIncompatible(pool, [...inspection.shards.values()], settings))
  await new ServerProvision(pool, inspection, [shardId], settings).run()
  const row = insertLayoutSql(shardId, layoutMigration, { isDone: true })
  await withServerSession(pool, settings, (session) => session.execute([row]))
}
