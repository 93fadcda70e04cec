import type { Body } from '../hstore/body.ts'
import { Key } from '../key/key.ts'
import { describeType } from '../key/shard-id.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import type { ServerPools } from '../shard/server-pools.ts'
import { chunksOf, forEachLimited } from './batches.ts'
import type { EntitySettings } from './entity-settings.ts'
import type { Entity } from './entity.ts'
import type { EntityOptions, OperationOptions } from './operation-options.ts'
import { ServerSite } from './server-site.ts'
import { makeShardLanes, type ShardLanes } from './shard-lanes.ts'
import { SingleStatements } from './single-statements.ts'

/** Gets of one `getMany` that are under way at once: enough to fill statements, too few to make others wait long. */
const WINDOW = 8_192
const CHUNK = 2_048

/** Entities by key: what `put` and `get` do, on whatever server holds the shard. */
export class EntityStore {
  readonly #pools: ServerPools
  readonly #log: StatementLog
  readonly #settings: EntitySettings
  readonly #sites: ReadonlyMap<string, ServerSite>
  readonly #lanes: (ShardLanes | undefined)[] = []
  readonly #single: SingleStatements

  constructor(pools: ServerPools, log: StatementLog, settings: EntitySettings) {
    this.#pools = pools
    this.#log = log
    this.#settings = settings
    const { servers } = pools.topology
    this.#sites = new Map(
      servers.map((server) => [server.serverId, new ServerSite(server, pools.poolOf(server.range.first), settings)]),
    )
    this.#single = new SingleStatements((shardId) => this.#siteOf(shardId), log, settings)
  }

  /** Keys of this server that had to be made again because they existed. */
  collisionsOf(serverId: string): number {
    return this.#sites.get(serverId)?.keyCollisions ?? 0
  }

  async put(shardId: number, kind: number, body: Body, options: EntityOptions): Promise<Key> {
    const lanes = this.#lanesOf(shardId)
    if (!this.#travels(options)) return this.#single.put(shardId, kind, body, options)
    return lanes.put.add({ kind, body }, options.signal)
  }

  async putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions): Promise<Key[]> {
    assertArray('bodies', bodies)
    return this.#single.putMany(shardId, kind, bodies, options)
  }

  async get(key: Key, options: EntityOptions): Promise<Entity | undefined> {
    assertKey(key)
    const lanes = this.#lanesOf(key.shardId)
    return this.#travels(options) ? lanes.get.add(key, options.signal) : this.#single.get(key, options)
  }

  async getMany(keys: readonly Key[], options: EntityOptions): Promise<(Entity | undefined)[]> {
    assertArray('keys', keys)
    for (const key of keys) {
      assertKey(key)
      this.#siteOf(key.shardId)
    }
    const found = new Array<Entity | undefined>(keys.length)
    await forEachLimited(chunksOf(keys, CHUNK), WINDOW / CHUNK, async ({ at, items }) => {
      const entities = await Promise.all(items.map((key) => this.get(key, options)))
      entities.forEach((entity, index) => (found[at + index] = entity))
    })
    return found
  }

  #travels({ batch = this.#settings.batch }: EntityOptions): boolean {
    return batch
  }

  #lanesOf(shardId: number): ShardLanes {
    return (this.#lanes[shardId] ??= makeShardLanes(shardId, this.#siteOf(shardId), this.#log, this.#settings))
  }

  #siteOf(shardId: number): ServerSite {
    const { serverId } = this.#pools.topology.getServer(shardId)
    const site = this.#sites.get(serverId)
    if (site === undefined) throw new Error(`bug: no site for server ${serverId}`)
    return site
  }
}

function assertKey(key: unknown): asserts key is Key {
  if (key instanceof Key) return
  throw new TypeError(`get takes a Key, got ${describeType(key)}: write new Key(id)`)
}

function assertArray(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array, got ${describeType(value)}`)
}
