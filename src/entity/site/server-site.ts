import type { Channel } from '../../pool/channel.ts'
import { ServerChannels } from '../../pool/server-channels.ts'
import type { ServerPool } from '../../pool/server-pool.ts'
import type { ShardSession } from '../../shard/shard-session.ts'
import type { ShardHome } from '../../shard/shard-site.ts'
import type { Server } from '../../topology/connection-entry.ts'
import type { EntitySettings } from '../entity-settings.ts'
import { ApartDesk } from '../lane/apart-desk.ts'
import { extensionMissing, HstoreType, typeIn } from './hstore-type.ts'
import { UpdatedColumns } from './updated-column.ts'

/** Places of a pool that lanes leave to others, if it has more than these. */
const PLACES_FOR_OTHERS = 2

/** Of so many places of a pool one is for what kept others waiting; some of these at most. */
const PLACES_PER_APART = 4
const MAX_APART = 4

/**
 * So many shards lean on one channel before another one is used. A few schemas cost a backend little, and fewer busy
 * backends answer sooner.
 */
const FEW_SHARDS = 64

/**
 * Load from which the work of a channel goes to others. With few shards soon: to know them all costs a backend little.
 * With many only what really piles up: a backend that has seen a schema keeps it for as long as it lives.
 */
const SPILL_LOAD = { few: 4, many: 64 } as const

/** One server as the entities see it: its pool, its channels, and what is known of it. */
export class ServerSite implements ShardHome {
  readonly pool: ServerPool
  readonly hstore = new HstoreType()
  readonly updated = new UpdatedColumns()
  /** For operations that kept others waiting. */
  readonly apart: ApartDesk
  keyCollisions = 0
  /** Shards in which nobody else took a key while keys were last drawn for many rows. */
  readonly quietShards = new Set<number>()
  readonly #channels: ServerChannels
  /** Channels that shards lean on. */
  readonly #homes: number

  constructor({ shardIds }: Server, pool: ServerPool, settings: EntitySettings) {
    this.pool = pool
    const channels = Math.max(1, pool.max - PLACES_FOR_OTHERS)
    const apart = Math.min(MAX_APART, Math.max(1, Math.floor(pool.max / PLACES_PER_APART)))
    this.apart = new ApartDesk(pool, apart, settings)
    const homes = Math.max(1, Math.ceil(shardIds.length / FEW_SHARDS))
    this.#homes = Math.min(homes, channels)
    const spillLoad = SPILL_LOAD[homes > channels ? 'many' : 'few']
    this.#channels = new ServerChannels(pool, { ...settings, channels, spillLoad })
  }

  /** The channel to board for work on a shard. Neighbours lean on different ones: work often goes through them in turn. */
  pickChannel(shardId: number, waitsForRows: boolean): Channel {
    return this.#channels.pick(shardId % this.#homes, waitsForRows)
  }

  /** Takes over the answer to the question where hstore is; throws `HV_EXTENSION_MISSING` if it is nowhere. */
  learnHstore(schema: string | null | undefined): 'again' {
    this.hstore.learn(schema)
    if (this.hstore.name === undefined) throw extensionMissing(this.pool.serverId)
    return 'again'
  }

  get hstoreSchema(): string | undefined {
    return this.hstore.schema
  }

  async findHstoreSchema(session: ShardSession): Promise<string | undefined> {
    await this.hstore.find((statement) => session.run(statement))
    return this.hstore.schema
  }

  isHstoreRefuted(schema: string | undefined, error: unknown): boolean {
    return this.hstore.isRefuted(schema === undefined ? undefined : typeIn(schema), error)
  }
}
