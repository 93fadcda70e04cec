import type { Change, ChangeOptions, ChangeOutcome, ConditionalOptions, Replacement } from '../entity/change/change.ts'
import type { DeleteOutcome } from '../entity/change/condition.ts'
import { type EntityStore } from '../entity/entity-store.ts'
import type { FindPlan } from '../entity/find/explain.ts'
import type { FindQuery } from '../entity/find/find-query.ts'
import { type KindRegistry } from '../entity/kind/kind-registry.ts'
import { KindStore } from '../entity/kind/kind-store.ts'
import type { AnyKind } from '../entity/kind/kind.ts'
import type { CommitEnd } from '../entity/load/commit-end.ts'
import type { BatchTicket } from '../entity/load/load-batch.ts'
import type { KindOf, LoadOptions, LoadSource } from '../entity/load/load-options.ts'
import type { Load } from '../entity/load/load.ts'
import type { EntityOptions, OperationOptions } from '../entity/operation-options.ts'
import type { Entity } from '../entity/rows/entity.ts'
import type { CountOptions } from '../entity/scan/count/count-options.ts'
import type { CountReport } from '../entity/scan/count/count-report.ts'
import type { ExportOptions, ExportProgress, ExportTarget } from '../entity/scan/export/export-options.ts'
import type { ScanOptions } from '../entity/scan/scan-query.ts'
import type { Scan } from '../entity/scan/scan.ts'
import { Shard, type ShardOptions } from '../entity/shard.ts'
import type { Transaction } from '../entity/transaction/transaction.ts'
import type { Body } from '../hstore/body.ts'
import type { Key } from '../key/key.ts'
import { assertShardId } from '../key/shard-id.ts'
import type { TransactionOptions } from '../shard/transaction/transaction-options.ts'

/** What a datastore does with entities: each call goes to the shard, and so to the server, that it names. */
export abstract class DatastoreEntities {
  /** @internal */
  protected abstract readonly entities: EntityStore
  /** @internal */
  protected abstract readonly kinds: KindRegistry

  /**
   * Stores an entity in a shard and resolves to its key, after the commit.
   *
   * @param kind smallint that identifies the type of entity
   * @param body plain object of text or null
   * @throws TypeError, RangeError before anything is sent; what `getConnection` throws; `HV_STATEMENT_FAILED`,
   *   `HV_SHARD_MISSING`, `HV_KEY_COLLISION` when nothing was written; `HV_OUTCOME_UNKNOWN` when the connection ended
   */
  put(shardId: number, kind: number, body: Body, options: EntityOptions = {}): Promise<Key> {
    return this.entities.put(shardId, kind, body, options)
  }

  /** Stores entities of one kind in a shard, all or none, and resolves to their keys in order. Throws what `put` throws. */
  putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions = {}): Promise<Key[]> {
    return this.entities.putMany(shardId, kind, bodies, options)
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
    return this.entities.load(kind, source, options)
  }

  /**
   * How a batch of a load ended whose ticket was written down by `beforeCommit` before a crash; `committed` means that all
   * of its rows are stored, `aborted` that none is. `unknown` if its first row was deleted since, or the server is still at
   * work on it after 5 seconds.
   *
   * @throws TypeError for an invalid ticket; whatever `get` throws
   */
  findBatchEnd(ticket: BatchTicket, options: OperationOptions = {}): Promise<CommitEnd> {
    return this.entities.findBatchEnd(ticket, options)
  }

  /**
   * The entity of a key, or undefined if there is none.
   *
   * @throws TypeError for anything but a `Key`; what `getConnection` throws; `HV_CONNECTION_LOST`, `HV_SHARD_MISSING`,
   *   `HV_STATEMENT_FAILED`
   */
  get(key: Key, options: EntityOptions = {}): Promise<Entity | undefined> {
    return this.entities.get(key, options)
  }

  /** The entities of these keys in their order, undefined where there is none. Throws what `get` throws. */
  getMany(keys: readonly Key[], options: EntityOptions = {}): Promise<(Entity | undefined)[]> {
    return this.entities.getMany(keys, options)
  }

  /**
   * Changes an entity: sets and removes keys of its body, or gives it another kind. With `ifUpdatedAt`, `ifBody` or
   * `ifKind` only if it still is what they say; otherwise the outcome is a `conflict` with the entity as it is.
   *
   * @throws TypeError, RangeError before anything is sent; what `get` throws; `HV_UPDATED_MISSING` for `ifUpdatedAt` in a
   *   shard without that column; `HV_OUTCOME_UNKNOWN` when the connection ended
   */
  update(key: Key, change: Change, options: ChangeOptions = {}): Promise<ChangeOutcome> {
    return this.entities.update(key, change, options)
  }

  /** Gives an entity another body, under a condition if there is one. Throws what `update` throws. */
  replace(key: Key, replacement: Replacement, options: ChangeOptions = {}): Promise<ChangeOutcome> {
    return this.entities.replace(key, replacement, options)
  }

  /**
   * Deletes an entity, and tells whether it was there; under a condition what became of it: `deleted`,
   * `missing`, or `conflict` with the entity as it is. Throws what `update` throws.
   */
  delete(key: Key, options: ConditionalOptions): Promise<DeleteOutcome>
  delete(key: Key, options?: EntityOptions): Promise<boolean>
  delete(key: Key, options: ChangeOptions = {}): Promise<boolean | DeleteOutcome> {
    return this.entities.delete(key, options)
  }

  /**
   * Deletes the entities of these keys, of any shards, and tells for each whether it was there. Each is deleted by
   * itself: when this rejects, some may be gone. Throws what `update` throws.
   */
  deleteMany(keys: readonly Key[], options: EntityOptions = {}): Promise<boolean[]> {
    return this.entities.deleteMany(keys, options)
  }

  /** Tells whether there is an entity of this key. Throws what `get` throws. */
  exists(key: Key, options: EntityOptions = {}): Promise<boolean> {
    return this.entities.exists(key, options)
  }

  /**
   * Finds entities in a shard by kind, body and time, in the order of their creation. The next page is what comes
   * `after` the key of the last one.
   *
   * @throws TypeError, RangeError before anything is sent; what `get` throws
   */
  find(shardId: number, query: FindQuery = {}, options: OperationOptions = {}): Promise<Entity[]> {
    return this.entities.finder.find(shardId, query, options)
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
    return this.entities.scan(options)
  }

  /**
   * Counts the entities of each shard, a few shards at a time on each server. Every shard is tried, also when others fail.
   *
   * @throws TypeError, RangeError; `HV_COUNT_FAILED`, which has the counts of the other shards and is not thrown with
   *   `onShardError: 'skip'`; the reason of the signal
   */
  count(options: CountOptions = {}): Promise<CountReport> {
    return this.entities.count(options)
  }

  /**
   * Writes the entities of a scan to a stream, which is left open, or to a function, page by page: the next one is read while
   * the target is taking one, and written when it has. Resolves to how far it came; its cursor goes on from there.
   *
   * @throws what `scan` throws, and what the target fails by
   */
  exportTo(target: ExportTarget, options: ExportOptions = {}): Promise<ExportProgress> {
    return this.entities.exportTo(target, options)
  }

  /**
   * The entities of one kind, with its types. Asks no server, and costs next to nothing.
   *
   * @throws TypeError when this datastore has met another kind with the same number, or with the same name
   * @example const key = await db.kind(User).put(5, { name: 'Ada' })
   */
  kind<K extends AnyKind>(kind: K): KindStore<K> {
    return new KindStore(this.kinds.termsOf(kind), this)
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
    return this.entities.transactions.run(shardId, work, options)
  }

  /**
   * One logical shard with tables of your own in it: for SQL, Kysely and Drizzle. Connects to nothing.
   *
   * @throws TypeError or RangeError for an invalid shard id
   * @example
   * const { rows } = await db.shard(5).query('select * from photos where id = $1', [id])
   */
  shard(shardId: number, options: ShardOptions = {}): Shard {
    assertShardId(shardId)
    return new Shard(shardId, () => this.entities.transactions, options)
  }

  /** Tells how a server would do a find, and whether an index serves it. Throws what `find` throws. */
  explain(shardId: number, query: FindQuery = {}, options: OperationOptions = {}): Promise<FindPlan> {
    return this.entities.finder.explain(shardId, query, options)
  }
}
