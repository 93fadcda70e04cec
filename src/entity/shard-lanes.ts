import type { StatementLog } from '../pool/statement-log.ts'
import type { EntitySettings } from './entity-settings.ts'
import { GetLane } from './get-lane.ts'
import type { LaneSite } from './lane.ts'
import { PutLane } from './put-lane.ts'
import type { ServerSite } from './server-site.ts'

/** The lanes of one shard. */
export interface ShardLanes {
  readonly get: GetLane
  readonly put: PutLane
}

/** Makes the lanes of a shard on its server. */
export function makeShardLanes(
  shardId: number,
  server: ServerSite,
  log: StatementLog,
  { epochMs, waitTimeoutMs }: EntitySettings,
): ShardLanes {
  const site: LaneSite = {
    shardId,
    pool: server.pool,
    log,
    waitTimeoutMs,
    pickChannel: () => server.pickChannel(shardId),
  }
  return { get: new GetLane(site), put: new PutLane(site, server, epochMs) }
}
