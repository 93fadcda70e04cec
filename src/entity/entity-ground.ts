import type { StatementLog } from '../pool/statement-log.ts'
import type { ShardFollower } from '../shard/shard-follower.ts'
import type { EntitySettings } from './entity-settings.ts'
import type { ServerSite } from './site/server-site.ts'

/** What all work on entities needs, whatever it is. */
export interface EntityGround {
  /**
   * The server where a shard lives now.
   *
   * @throws `HV_SHARD_UNKNOWN`
   */
  readonly siteOf: (shardId: number) => ServerSite
  readonly follower: ShardFollower
  readonly log: StatementLog
  readonly settings: EntitySettings
}
