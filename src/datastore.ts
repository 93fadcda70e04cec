import { assertFunction } from './arguments.ts'
import {
  resolveOptions,
  type DatastoreOptions,
  type FleetDatastoreOptions,
  type ResolvedOptions,
} from './datastore-options.ts'
import { TopologyFeed } from './catalog/topology-feed.ts'
import type { Change, ChangeOptions, ChangeOutcome, ConditionalOptions, Replacement } from './entity/change/change.ts'
import type { DeleteOutcome } from './entity/change/condition.ts'
import type { Entity } from './entity/entity.ts'
import { EntityStore } from './entity/entity-store.ts'
import type { EntitySettings } from './entity/entity-settings.ts'
import type { FindPlan } from './entity/find/explain.ts'
import type { FindQuery } from './entity/find/find-query.ts'
import type { CommitEnd } from './entity/load/commit-end.ts'
import type { AnyKind } from './entity/kind/kind.ts'
import { KindRegistry } from './entity/kind/kind-registry.ts'
import { KindStore } from './entity/kind/kind-store.ts'
import type { Load } from './entity/load/load.ts'
import type { BatchTicket } from './entity/load/load-batch.ts'
import type { KindOf, LoadOptions, LoadSource } from './entity/load/load-options.ts'
import type { EntityOptions, OperationOptions } from './entity/operation-options.ts'
import type { CountOptions } from './entity/count/count-options.ts'
import type { CountReport } from './entity/count/count-report.ts'
import type { ExportOptions, ExportProgress, ExportTarget } from './entity/scan/export/export-options.ts'
import type { Scan } from './entity/scan/scan.ts'
import type { ScanOptions } from './entity/scan/scan-query.ts'
import type { Transaction } from './entity/transaction/transaction.ts'
import type { Body } from './hstore/body.ts'
import type { Key } from './key/key.ts'
import { StatementLog } from './pool/statement-log.ts'
import type { DriftOptions } from './schema/drift/drift-options.ts'
import type { DriftReport } from './schema/drift/drift-report.ts'
import { verifyShards } from './schema/drift/verify-shards.ts'
import type { IndexDefinition } from './schema/indexes/index-definition.ts'
import type { IndexOptions } from './schema/indexes/index-options.ts'
import { ShardIndexes, type IndexReport } from './schema/indexes/shard-indexes.ts'
import { ConnectionDesk } from './shard/connection-desk.ts'
import { ServerPools, type ServerStats } from './shard/server-pools.ts'
import type { ShardConnection } from './shard/shard-connection.ts'
import { ShardFollower } from './shard/shard-follower.ts'
import type { TransactionOptions } from './shard/transaction/transaction-options.ts'
import { parseConnections } from './topology/connection-entry.ts'
import { Topology } from './topology/topology.ts'

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
export class Datastore implements AsyncDisposable {
  /** The indexes of the entities, the same in all shards; on connections of their own. */
  readonly indexes = new ShardIndexes(() => this.topology)
  readonly #options: ResolvedOptions
  readonly #log: StatementLog
  readonly #desk: ConnectionDesk
  readonly #feed: TopologyFeed | undefined
  readonly #first: Topology
  readonly #kinds: KindRegistry
  /** Pools that `reinstantiate()` replaced and that still have connections lent out. */
  readonly #retired = new Set<ServerPools>()
  #generation: Generation

  /**
   * Checks everything and connects to nothing: connections are opened when they are needed.
   *
   * @throws TypeError or RangeError that names the option, or the entries of `connections`
   */
  constructor(options: DatastoreOptions, feed?: TopologyFeed) {
    this.#options = resolveOptions(options)
    this.#feed = feed
    this.#first = feed?.topology ?? new Topology(parseConnections(options.connections))
    this.#log = new StatementLog(this.#options.logger)
    this.#desk = new ConnectionDesk(this.#log)
    this.#kinds = new KindRegistry(this.#options.epochMs)
    this.#generation = this.#beginGeneration()
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
    const { catalog, topologyFile, topologyPollMs, signal, ...others } = options
    resolveOptions(others)
    const { logger } = others
    const feed = await TopologyFeed.open({ catalog, topologyFile, topologyPollMs, signal, logger })
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

  /** Lends a connection for the time of `work`, and resolves to what `work` returns. Throws what `getConnection` throws. */
  async cursor<T>(
    shardId: number,
    work: (client: ShardConnection) => T | Promise<T>,
    options: OperationOptions = {},
  ): Promise<T> {
    assertFunction('work', work)
    await using connection = await this.getConnection(shardId, options)
    return await work(connection)
  }

  /**
   * Stores an entity in a shard and resolves to its key, after the commit.
   *
   * @param kind smallint that tells entity types apart
   * @param body plain object of text or null
   * @throws TypeError, RangeError before anything is sent; what `getConnection` throws; `HV_STATEMENT_FAILED`,
   *   `HV_SHARD_MISSING`, `HV_KEY_COLLISION` when nothing was written; `HV_OUTCOME_UNKNOWN` when the connection ended
   */
  put(shardId: number, kind: number, body: Body, options: EntityOptions = {}): Promise<Key> {
    return this.#generation.entities.put(shardId, kind, body, options)
  }

  /** Stores entities of one kind in a shard, all or none, and resolves to their keys in order. Throws what `put` throws. */
  putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions = {}): Promise<Key[]> {
    return this.#generation.entities.putMany(shardId, kind, bodies, options)
  }

  /**
   * Stores any number of entities of one kind, or each of its own, in the shards that `shardOf` says, by COPY, to all servers at once. Iterate
   * over what it returns for the keys in the order of the source, or await its `finish()` for the totals. A batch is
   * stored as a whole or not at all; memory is bounded, whatever the length.
   *
   * @throws TypeError, RangeError for arguments; while iterating `HV_LOAD_FAILED`, which says which rows are stored
   * @example
   * for await (const key of db.load(1, cities, { shardOf: (city) => db.shardFor(city.country) })) keys.push(key)
   */
  load<B extends Body>(kind: number | KindOf<B>, source: LoadSource<B>, options: LoadOptions<B>): Load {
    return this.#generation.entities.load(kind, source, options)
  }

  /**
   * How a batch of a load ended whose ticket was written down by `beforeCommit` before a crash; `committed` means that all
   * of its rows are stored, `aborted` that none is. `unknown` if its first row was deleted since, or the server is still at
   * work on it after 5 seconds.
   *
   * @throws TypeError for what is no ticket; what `get` throws
   */
  findBatchEnd(ticket: BatchTicket, options: OperationOptions = {}): Promise<CommitEnd> {
    return this.#generation.entities.findBatchEnd(ticket, options)
  }

  /**
   * The entity of a key, or undefined if there is none.
   *
   * @throws TypeError for anything but a `Key`; what `getConnection` throws; `HV_CONNECTION_LOST`, `HV_SHARD_MISSING`,
   *   `HV_STATEMENT_FAILED`
   */
  get(key: Key, options: EntityOptions = {}): Promise<Entity | undefined> {
    return this.#generation.entities.get(key, options)
  }

  /** The entities of these keys in their order, undefined where there is none. Throws what `get` throws. */
  getMany(keys: readonly Key[], options: EntityOptions = {}): Promise<(Entity | undefined)[]> {
    return this.#generation.entities.getMany(keys, options)
  }

  /**
   * Changes an entity: sets and removes keys of its body, or gives it another kind. With `ifUpdatedAt`, `ifBody` or
   * `ifKind` only if it still is what they say; otherwise the outcome is a `conflict` with the entity as it is.
   *
   * @throws TypeError, RangeError before anything is sent; what `get` throws; `HV_UPDATED_MISSING` for `ifUpdatedAt` in a
   *   shard without that column; `HV_OUTCOME_UNKNOWN` when the connection ended
   */
  update(key: Key, change: Change, options: ChangeOptions = {}): Promise<ChangeOutcome> {
    return this.#generation.entities.update(key, change, options)
  }

  /** Gives an entity another body, under a condition if there is one. Throws what `update` throws. */
  replace(key: Key, replacement: Replacement, options: ChangeOptions = {}): Promise<ChangeOutcome> {
    return this.#generation.entities.replace(key, replacement, options)
  }

  /**
   * Deletes an entity, and tells whether it was there; under a condition what became of it: `deleted`,
   * `missing`, or `conflict` with the entity as it is. Throws what `update` throws.
   */
  delete(key: Key, options: ConditionalOptions): Promise<DeleteOutcome>
  delete(key: Key, options?: EntityOptions): Promise<boolean>
  delete(key: Key, options: ChangeOptions = {}): Promise<boolean | DeleteOutcome> {
    return this.#generation.entities.delete(key, options)
  }

  /**
   * Deletes the entities of these keys, of any shards, and tells for each whether it was there. Each is deleted by
   * itself: when this rejects, some may be gone. Throws what `update` throws.
   */
  deleteMany(keys: readonly Key[], options: EntityOptions = {}): Promise<boolean[]> {
    return this.#generation.entities.deleteMany(keys, options)
  }

  /** Tells whether there is an entity of this key. Throws what `get` throws. */
  exists(key: Key, options: EntityOptions = {}): Promise<boolean> {
    return this.#generation.entities.exists(key, options)
  }

  /**
   * Finds entities in a shard by kind, body and time, in the order of their creation. The next page is what comes
   * `after` the key of the last one.
   *
   * @throws TypeError, RangeError before anything is sent; what `get` throws
   */
  find(shardId: number, query: FindQuery = {}, options: OperationOptions = {}): Promise<Entity[]> {
    return this.#generation.entities.finder.find(shardId, query, options)
  }

  /**
   * Walks through the entities of all shards in the order of their creation, both ways, with a few reads ahead on a few
   * connections. Its pages have cursors from which another program can go on.
   *
   * What is there for the whole time of the scan is given once; what is put or deleted meanwhile may be given or not.
   *
   * @throws TypeError, RangeError, `HV_CURSOR_INVALID`, `HV_CURSOR_FOREIGN`; while iterating what `find` throws
   * @example
   * for await (const { entities, cursor } of db.scan({ kind: 1 }).pages()) await save(entities, cursor)
   */
  scan(options: ScanOptions = {}): Scan {
    return this.#generation.entities.scan(options)
  }

  /**
   * Counts the entities of each shard, a few shards at a time on each server. Every shard is tried, also when others fail.
   *
   * @throws TypeError, RangeError; `HV_COUNT_FAILED`, which has the counts of the other shards and is not thrown with
   *   `onShardError: 'skip'`; the reason of the signal
   */
  count(options: CountOptions = {}): Promise<CountReport> {
    return this.#generation.entities.count(options)
  }

  /**
   * Writes the entities of a scan to a stream, which is left open, or to a function, page by page: the next one is read while
   * the target is taking one, and written when it has. Resolves to how far it came; its cursor goes on from there.
   *
   * @throws what `scan` throws, and what the target fails by
   */
  exportTo(target: ExportTarget, options: ExportOptions = {}): Promise<ExportProgress> {
    return this.#generation.entities.exportTo(target, options)
  }

  /**
   * The entities of one kind, with its types. Asks no server, and costs next to nothing.
   *
   * @throws TypeError when this datastore has met another kind with the same number, or with the same name
   * @example const key = await db.kind(User).put(5, { name: 'Ada' })
   */
  kind<K extends AnyKind>(kind: K): KindStore<K> {
    return new KindStore(this.#kinds.termsOf(kind), this)
  }

  /**
   * Does work in a transaction in one shard: all of it is there when this resolves, and nothing when it rejects. The work
   * **may run more than once**, because it is run again when the server says that it came in the way of another
   * transaction, or the shard has moved: do nothing in it that cannot be done twice, or give `retry: false`.
   *
   * @throws what `work` throws; what `put` throws; `HV_TRANSACTION_ABORTED`, `HV_TRANSACTION_TIMEOUT`;
   *   `HV_COMMIT_UNKNOWN` when the connection ended during the commit
   * @example
   * await db.transaction(key.shardId, async (tx) => {
   *   const entity = await tx.get(key)
   *   await tx.update(key, { set: { visits: String(Number(entity?.body.visits ?? 0) + 1) } })
   * }, { isolation: 'repeatable read' })
   */
  transaction<T>(
    shardId: number,
    work: (tx: Transaction) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    return this.#generation.entities.transactions.run(shardId, work, options)
  }

  /** Tells how a server would do a find, and whether an index serves it. Throws what `find` throws. */
  explain(shardId: number, query: FindQuery = {}, options: OperationOptions = {}): Promise<FindPlan> {
    return this.#generation.entities.finder.explain(shardId, query, options)
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
   * of shards in the topology, into their ascending list. A bigint counts as its decimal text.
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
    await Promise.all([this.#feed?.stop(), ...[...this.#retired].map((pools) => pools.close({ timeoutMs }))])
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

  #beginGeneration(): Generation {
    const { poolMax, poolBlockTimeoutMs, connectTimeoutMs, idleTimeoutMs, lifetimeMs, logger } = this.#options
    const pools = new ServerPools(this.#feed?.topology ?? this.#first, {
      max: poolMax,
      blockTimeoutMs: poolBlockTimeoutMs,
      connectTimeoutMs,
      idleTimeoutMs,
      lifetimeMs,
      logger,
    })
    const follower = new ShardFollower(pools, this.#feed && (() => this.#refresh()))
    return { pools, entities: new EntityStore(pools, follower, this.#log, entitySettings(this.#options), this.#kinds) }
  }

  #adopt(topology: Topology): void {
    const { pools, entities } = this.#generation
    pools.adopt(topology)
    entities.reroute()
  }

  async #refresh(): Promise<void> {
    await this.#feed?.refresh()
  }

  #retire(): void {
    const { pools } = this.#generation
    pools.retire()
    this.#retired.add(pools)
    void pools.whenClosed().then(() => this.#retired.delete(pools))
  }
}

function entitySettings(options: ResolvedOptions): EntitySettings {
  const { poolBlockTimeoutMs, prepare, preparedMax, ...settings } = options
  return { ...settings, waitTimeoutMs: poolBlockTimeoutMs, preparedMax: prepare ? preparedMax : 0 }
}
