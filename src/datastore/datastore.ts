import { assertFunction } from '../arguments/arguments.ts'
import { assertCallOptions } from '../arguments/call-options.ts'
import { TopologyFeed } from '../catalog/topology-feed.ts'
import type { EntitySettings } from '../entity/entity-settings.ts'
import { EntityStore } from '../entity/entity-store.ts'
import { KindRegistry } from '../entity/kind/kind-registry.ts'
import type { OperationOptions } from '../entity/operation-options.ts'
import { StatementLog } from '../pool/statement-log.ts'
import type { DriftOptions } from '../schema/drift/drift-options.ts'
import type { DriftReport } from '../schema/drift/drift-report.ts'
import { verifyShards } from '../schema/drift/verify-shards.ts'
import type { IndexDefinition } from '../schema/indexes/index-definition.ts'
import type { IndexOptions } from '../schema/indexes/index-options.ts'
import { ShardIndexes, type IndexReport } from '../schema/indexes/shard-indexes.ts'
import { ShardMigrations } from '../schema/migrations/shard-migrations.ts'
import { ConnectionDesk } from '../shard/connection-desk.ts'
import { ServerPools, type ServerStats } from '../shard/server-pools.ts'
import type { ShardConnection } from '../shard/shard-connection.ts'
import { ShardFollower } from '../shard/shard-follower.ts'
import { SpreadGuard } from '../shard/spread-guard.ts'
import { parseConnections, type Server } from '../topology/connection-entry.ts'
import { Topology } from '../topology/topology.ts'
import { DatastoreEntities } from './datastore-entities.ts'
import {
  assertFleetOptions,
  assertSpread,
  resolveOptions,
  type DatastoreOptions,
  type FleetDatastoreOptions,
  type ResolvedOptions,
} from './datastore-options.ts'

/** Figures of one server: its pool, and the keys that had to be made again. */
export interface DatastoreStats extends ServerStats {
  /** Keys that the server made although they existed, so that they were made again. */
  readonly keyCollisions: number
}

/** What works on one generation of pools. */
interface Generation {
  readonly pools: ServerPools
  readonly entities: EntityStore
}

/**
 * Logical shards on several PostgreSQL servers. Routes every call to the server that holds the shard.
 *
 * @example
 * const db = new Datastore({ connections: [{ shards: '1-9', host: '192.168.2.23', database: 'x' }] })
 * const key = await db.put(5, 1, { beep: 'boop' })
 * const entity = await db.get(key)
 */
export class Datastore extends DatastoreEntities implements AsyncDisposable {
  /** The indexes of the entities, the same in all shards; on connections of their own. */
  readonly indexes = new ShardIndexes(() => this.topology)
  /** The migrations of the tables of all shards; on connections of their own. */
  readonly migrations: ShardMigrations
  readonly #options: ResolvedOptions
  readonly #log: StatementLog
  readonly #desk: ConnectionDesk
  readonly #feed: TopologyFeed | undefined
  readonly #first: Topology
  /** With `connections`; a catalog has the spread in its topology. */
  #guard: SpreadGuard | undefined
  /** @internal */
  protected readonly kinds: KindRegistry
  /** Pools that `reinstantiate()` replaced and that still have connections lent out. */
  readonly #retired = new Set<ServerPools>()
  #generation: Generation

  /**
   * Checks everything and connects to nothing: connections are opened when they are needed.
   *
   * @throws TypeError or RangeError that names the option, or the entries of `connections`
   */
  constructor(options: DatastoreOptions, feed?: TopologyFeed) {
    super()
    this.#options = resolveOptions(options)
    this.#feed = feed
    this.#first = feed?.topology ?? this.#guardTopology(parseConnections(options.connections))
    this.#log = new StatementLog(this.#options.logger)
    this.#desk = new ConnectionDesk(this.#log)
    this.kinds = new KindRegistry(this.#options.epochMs)
    this.#generation = this.#beginGeneration()
    const { migrations: source, epochMs } = this.#options
    this.migrations = new ShardMigrations({ topology: () => this.topology, source, epochMs })
    feed?.onChange((topology) => this.#adopt(topology))
  }

  /**
   * Opens a datastore on a fleet: the servers and the places of the shards come from its catalog, and are followed as
   * they change. While the catalog is down the last topology stays in force.
   *
   * @throws `HV_CONNECT_FAILED` when the catalog is down and there is no `topologyFile` to start from,
   *   `HV_CATALOG_MISSING`, `HV_CATALOG_LAYOUT`; TypeError or RangeError that names the option
   */
  static async open(options: FleetDatastoreOptions): Promise<Datastore> {
    assertFleetOptions(options)
    const { catalog, topologyFile, topologyPollMs, secrets, signal, ...others } = options
    resolveOptions(others)
    const { logger } = others
    const feed = await TopologyFeed.open({ catalog, topologyFile, topologyPollMs, secrets, signal, logger })
    return new Datastore({ ...others, connections: [] }, feed)
  }

  /** Which server holds which logical shard, now. */
  get topology(): Topology {
    return this.#generation.pools.topology
  }

  /**
   * Lends a connection to the server of a shard: a `pg` client that is given back by `putConnection()`, by its own
   * `release()`, or by leaving the block of an `await using`.
   *
   * @throws `HV_SHARD_UNKNOWN`, `HV_POOL_TIMEOUT`, `HV_CONNECT_FAILED`, `HV_CLOSED`, or the reason of the signal
   */
  async getConnection(shardId: number, options: OperationOptions = {}): Promise<ShardConnection> {
    assertCallOptions('getConnection', options)
    const lease = await this.#generation.pools.poolOf(shardId).acquire({ signal: options.signal })
    return this.#desk.lend(lease, shardId)
  }

  /**
   * Gives a connection back. One that is dead, inside a transaction or busy is closed instead of being lent again.
   *
   * @throws `HV_CONNECTION_RETURNED` the second time, `HV_CONNECTION_FOREIGN` for what this datastore did not lend
   */
  putConnection(connection: ShardConnection): void {
    this.#desk.takeBack(connection)
  }

  /**
   * Lends a connection for the time of `work`, and resolves to what `work` returns. The signal also ends the work: its
   * connection is cut, and what is in flight is cancelled at the server. Throws what `getConnection` throws.
   */
  async cursor<T>(
    shardId: number,
    work: (client: ShardConnection) => T | Promise<T>,
    options: OperationOptions = {},
  ): Promise<T> {
    assertFunction('work', work)
    assertCallOptions('cursor', options)
    const { signal } = options
    const lease = await this.#generation.pools.poolOf(shardId).acquire({ signal })
    return await this.#desk.lendFor(lease, { shardId, signal }, work)
  }

  /**
   * Compares what all shards are made of, and names those that differ, what is missing and what is too much in them, and
   * indexes that are not valid. See `verifyShards`.
   *
   * @throws TypeError or RangeError that names the option; `HV_SHARD_UNKNOWN`; the reason of the signal
   */
  verify(options: DriftOptions = {}): Promise<DriftReport> {
    return verifyShards(this.topology, options, this.#options.epochMs)
  }

  /** Creates an index in every shard while entities are read and written: see `indexes.create`. */
  createIndex(definition: IndexDefinition, options: IndexOptions = {}): Promise<IndexReport> {
    return this.indexes.create(definition, options)
  }

  /**
   * The shard that a value belongs to: the first 8 bytes of the md5 of its text, unsigned, big-endian, modulo the number
   * of shards in the spread, into their ascending list. A bigint counts as its decimal text. The spread is the list of
   * shards that was recorded once, in the catalog, or with `connections` in the shards: shards that join get no values.
   *
   * @throws TypeError; `HV_SPREAD_MISSING` in a fleet without shards; `HV_SPREAD_DIFFERS` once a server has said that its
   *   shards carry another list than the option `spread`, or else all shards of `connections`
   */
  shardFor(value: string | bigint): number {
    return this.topology.shardFor(value)
  }

  /** Figures of each server, in the order of `connections`. */
  stats(): DatastoreStats[] {
    const { pools, entities } = this.#generation
    return pools.stats().map((stats) => ({ ...stats, keyCollisions: entities.collisionsOf(stats.serverId) }))
  }

  /**
   * Closes every connection of every pool. Waits up to `disconnectTimeoutMs` for what is lent out, then cuts it. Safe to
   * call again; until `reinstantiate()` every other call gets `HV_CLOSED`.
   */
  async disconnect(): Promise<void> {
    const { disconnectTimeoutMs: timeoutMs } = this.#options
    this.#retire()
    await Promise.all([
      this.#feed?.stop({ timeoutMs }),
      ...[...this.#retired].map((pools) => pools.close({ timeoutMs })),
    ])
  }

  /** Starts afresh with new pools, also after `disconnect()`. What is still lent out is closed when it comes back. */
  reinstantiate(): Promise<void> {
    this.#retire()
    this.#generation = this.#beginGeneration()
    this.#feed?.start()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect()
  }

  /** @internal */
  protected get entities(): EntityStore {
    return this.#generation.entities
  }

  #guardTopology(servers: readonly Server[]): Topology {
    const { spread } = this.#options
    assertSpread(spread, servers)
    const topology = new Topology(servers, { spread, assertSpread: () => this.#guard?.use() })
    this.#guard = new SpreadGuard(topology.spread, { isUsed: spread !== undefined })
    return topology
  }

  #beginGeneration(): Generation {
    const { poolMax, poolBlockTimeoutMs, connectTimeoutMs, idleTimeoutMs, lifetimeMs, logger } = this.#options
    const pools = new ServerPools(this.#feed?.topology ?? this.#first, {
      max: poolMax,
      blockTimeoutMs: poolBlockTimeoutMs,
      connectTimeoutMs,
      idleTimeoutMs,
      lifetimeMs,
      logger,
      onOpen: this.#guard && ((serverId, client) => this.#guard?.check(serverId, client) ?? Promise.resolve()),
    })
    const follower = new ShardFollower(
      pools,
      this.#feed && ((bounds) => this.#feed?.refresh(bounds) ?? Promise.resolve(undefined)),
    )
    return { pools, entities: new EntityStore(pools, follower, this.#log, entitySettings(this.#options), this.kinds) }
  }

  #adopt(topology: Topology): void {
    const { pools, entities } = this.#generation
    pools.adopt(topology)
    entities.reroute()
  }

  #retire(): void {
    const { pools } = this.#generation
    pools.retire()
    this.#retired.add(pools)
    void pools.whenClosed().then(() => this.#retired.delete(pools))
  }
}

function entitySettings(options: ResolvedOptions): EntitySettings {
  const { poolBlockTimeoutMs, prepare, preparedMax, poolMax: _, migrations: __, spread: ___, ...settings } = options
  return { ...settings, waitTimeoutMs: poolBlockTimeoutMs, preparedMax: prepare ? preparedMax : 0 }
}
