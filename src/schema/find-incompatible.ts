import type { ServerPool } from '../pool/server-pool.ts'
import { withServerSession } from '../server/server-session.ts'
import { findProblems } from './find-problems.ts'
import { proveKeys } from './key-proof.ts'
import type { IncompatibleShard } from './placement.ts'
import type { ProvisionSettings } from './provision-options.ts'
import type { ShardLayout } from './shard-layout.ts'

/** What keeps schemas from being shards, as far as their layouts tell. */
export function findLayoutProblems(
  serverId: string,
  layouts: readonly ShardLayout[],
  { epochMs }: ProvisionSettings,
): IncompatibleShard[] {
  return layouts.flatMap((layout) =>
    findProblems(layout, epochMs).map((problem) => ({ serverId, shardId: layout.shardId, problem })),
  )
}

/** The problems of the layouts, and, of shards that have none, those of the keys. */
export async function findIncompatible(
  pool: ServerPool,
  layouts: readonly ShardLayout[],
  settings: ProvisionSettings,
): Promise<IncompatibleShard[]> {
  const { serverId } = pool
  const incompatible = findLayoutProblems(serverId, layouts, settings)
  const unfit = new Set(incompatible.map(({ shardId }) => shardId))
  const sound = layouts.filter(({ shardId }) => !unfit.has(shardId))
  const keyProblems = await withServerSession(pool, settings, (session) => proveKeys(session, sound, settings.epochMs))
  return [...incompatible, ...[...keyProblems].map(([shardId, problem]) => ({ serverId, shardId, problem }))]
}
