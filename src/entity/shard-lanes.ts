import type { StatementLog } from '../pool/statement-log.ts'
import type { ShardFollower } from '../shard/shard-follower.ts'
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

/** What the lanes of all shards have in common. */
export interface LaneTerms {
  readonly follower: ShardFollower
  readonly log: StatementLog
  readonly settings: EntitySettings
  /** The lanes of a shard where it lives now. */
  findLanes(shardId: number): ShardLanes
}

/** Makes the lanes of a shard on its server. */
export function makeShardLanes(shardId: number, server: ServerSite, terms: LaneTerms): ShardLanes {
  const { follower, log, settings } = terms
  const site: LaneSite = {
    shardId,
    pool: server.pool,
    log,
    waitTimeoutMs: settings.waitTimeoutMs,
    pickChannel: () => server.pickChannel(shardId),
    follow: (refusal, attempt, leftMs) => follower.follow(refusal, { shardId, attempt, leftMs }),
  }
  return {
    get: new GetLane(site, () => terms.findLanes(shardId).get),
    put: new PutLane(site, () => terms.findLanes(shardId).put, server, settings.epochMs),
  }
}
