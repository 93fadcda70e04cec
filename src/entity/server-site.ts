import type { Channel } from '../pool/channel.ts'
import { ServerChannels } from '../pool/server-channels.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import type { ShardHome } from '../shard/shard-site.ts'
import type { ShardSession } from '../shard/shard-session.ts'
import type { Server } from '../topology/connection-entry.ts'
import { HstoreType } from './hstore-type.ts'
import type { EntitySettings } from './entity-settings.ts'
import { findHstoreSchema } from './statements.ts'
import { UpdatedColumns } from './updated-column.ts'

/** Places of a pool that lanes leave to others, if it has more than these. */
const PLACES_FOR_OTHERS = 2

/**
 * Least shards that lean on one channel before another one is used. A few schemas cost a backend little, and fewer busy
 * backends answer sooner.
 */
const MIN_SHARDS_PER_CHANNEL = 64

/** One server as the entities see it: its pool, its channels, and what is known of it. */
export class ServerSite implements ShardHome {
  readonly pool: ServerPool
  readonly hstore = new HstoreType()
  readonly updated = new UpdatedColumns()
  keyCollisions = 0
  readonly #channels: ServerChannels
  readonly #shardsPerChannel: number

  constructor({ shardIds }: Server, pool: ServerPool, settings: EntitySettings) {
    this.pool = pool
    const count = Math.max(1, settings.poolMax - PLACES_FOR_OTHERS)
    this.#channels = new ServerChannels(pool, count, settings)
    this.#shardsPerChannel = Math.max(MIN_SHARDS_PER_CHANNEL, Math.ceil(shardIds.length / count))
  }

  /** The channel to board for work on a shard. */
  pickChannel(shardId: number): Channel {
    return this.#channels.pick(Math.floor(shardId / this.#shardsPerChannel))
  }

  async findHstoreSchema(session: ShardSession): Promise<string | undefined> {
    const { hstore } = this
    if (hstore.name === undefined) hstore.learn((await session.run(findHstoreSchema))[0]?.[0])
    return hstore.schema
  }
}
