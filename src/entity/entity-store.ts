import { assertArray } from '../arguments/arguments.ts'
import { assertCallOptions } from '../arguments/call-options.ts'
import type { Body } from '../hstore/body.ts'
import type { Key } from '../key/key.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import type { ServerPools } from '../shard/server-pools.ts'
import type { ShardFollower } from '../shard/shard-follower.ts'
import type { Change, ChangeOptions, ChangeOutcome, ChangeRequest, Replacement } from './change/change.ts'
import { conditionOf, hasCondition, type DeleteOutcome } from './change/condition.ts'
import type { EntityGround } from './entity-ground.ts'
import type { EntitySettings } from './entity-settings.ts'
import { Finder } from './find/finder.ts'
import type { KindRegistry } from './kind/kind-registry.ts'
import { ShardLanes, type LaneTerms } from './lane/shard-lanes.ts'
import { lookUpEnd, type CommitEnd } from './load/commit-end.ts'
import { assertTicket, type BatchTicket } from './load/load-batch.ts'
import {
  assertLoadSource,
  resolveLoadOptions,
  type KindOf,
  type LoadOptions,
  type LoadSource,
} from './load/load-options.ts'
import { Load } from './load/load.ts'
import { Loader } from './load/loader.ts'
import { writerSettings } from './load/writer-settings.ts'
import type { EntityOptions, OperationOptions } from './operation-options.ts'
import { rejectThrown } from './reject-thrown.ts'
import { assertKey } from './rows/assert-key.ts'
import { chunksOf } from './rows/batches.ts'
import { assertKind, type Entity } from './rows/entity.ts'
import { checkCount, type CountOptions } from './scan/count/count-options.ts'
import type { CountReport } from './scan/count/count-report.ts'
import { CountRun } from './scan/count/count-run.ts'
import {
  assertTarget,
  checkExport,
  type ExportOptions,
  type ExportProgress,
  type ExportTarget,
} from './scan/export/export-options.ts'
import { runExport } from './scan/export/run-export.ts'
import { checkScan, type ScanOptions } from './scan/scan-query.ts'
import { ScanRun, type ScanGround } from './scan/scan-run.ts'
import { Scan } from './scan/scan.ts'
import { ServerReader } from './scan/server-reader.ts'
import { SingleStatements } from './single-statements.ts'
import { ServerSite } from './site/server-site.ts'
import { Transactions } from './transaction/transactions.ts'

/** Keys of one `getMany` that are under way at once: enough to fill statements, too few to make others wait long. */
const WINDOW = 16_384

/** Entities by key: what `put` and `get` do, on whatever server holds the shard. */
export class EntityStore {
  readonly #pools: ServerPools
  readonly #terms: LaneTerms
  readonly #settings: EntitySettings
  readonly #sites = new Map<ServerPool, ServerSite>()
  readonly #lanes: (ShardLanes | undefined)[] = []
  /** Finds entities by what is in them. */
  readonly finder: Finder
  /** Transactions of the caller. */
  readonly transactions: Transactions
  readonly #single: SingleStatements
  readonly #ground: EntityGround
  readonly #scanGround: ScanGround

  constructor(
    pools: ServerPools,
    follower: ShardFollower,
    log: StatementLog,
    settings: EntitySettings,
    kinds: KindRegistry,
  ) {
    this.#pools = pools
    this.#settings = settings
    const ground: EntityGround = { siteOf: (shardId) => this.#siteOf(shardId), follower, log, settings }
    this.#ground = ground
    this.#terms = { ...ground, findLanes: (shardId) => this.#lanesOf(shardId) }
    this.finder = new Finder(ground)
    this.#scanGround = { ...ground, topology: () => pools.topology, reader: new ServerReader(ground) }
    this.transactions = new Transactions(ground, kinds)
    this.#single = new SingleStatements(ground)
  }

  /** Takes note of another topology: what is asked for from now on goes where the shards live now. */
  reroute(): void {
    this.#lanes.length = 0
    const { servers } = this.#pools.topology
    const current = new Set(servers.map(({ serverId }) => this.#pools.poolOfServer(serverId)))
    for (const pool of this.#sites.keys()) if (!current.has(pool)) this.#sites.delete(pool)
  }

  /** Keys of this server that had to be made again because they existed. */
  collisionsOf(serverId: string): number {
    return this.#sites.get(this.#pools.poolOfServer(serverId))?.keyCollisions ?? 0
  }

  put(shardId: number, kind: number, body: Body, options: EntityOptions): Promise<Key> {
    return rejectThrown(() => {
      assertCallOptions('put', options)
      const lanes = this.#lanesOf(shardId)
      if (!this.#travels(options)) return this.#single.put(shardId, kind, body, options)
      return lanes.put.add({ kind, body }, options.signal)
    })
  }

  async putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions): Promise<Key[]> {
    assertCallOptions('putMany', options)
    assertArray('bodies', bodies)
    return this.#single.putMany(shardId, kind, bodies, options)
  }

  load<B extends Body>(kind: number | KindOf<B>, source: LoadSource<B>, options: LoadOptions<B>): Load {
    if (typeof kind !== 'function') assertKind(kind)
    assertLoadSource(source)
    const kindOf = typeof kind === 'function' ? (kind as KindOf) : () => kind
    const loader = new Loader(kindOf, source, resolveLoadOptions(options), this.#ground)
    return new Load(loader, this.#settings.epochMs)
  }

  async findBatchEnd(ticket: BatchTicket, options: OperationOptions): Promise<CommitEnd> {
    assertCallOptions('findBatchEnd', options)
    assertTicket(ticket)
    const { pool } = this.#siteOf(ticket.shardId)
    return lookUpEnd(ticket, { pool, settings: writerSettings(this.#ground) }, options.signal)
  }

  count(options: CountOptions): Promise<CountReport> {
    return rejectThrown(() => new CountRun(checkCount(options, this.#settings.epochMs), this.#scanGround).run())
  }

  async exportTo(target: ExportTarget, options: ExportOptions): Promise<ExportProgress> {
    assertTarget(target)
    const checked = checkExport(options, this.#settings.epochMs)
    return runExport(target, checked, new Scan(new ScanRun(checked.scan, this.#scanGround)))
  }

  scan(options: ScanOptions): Scan {
    return new Scan(new ScanRun(checkScan(options, this.#settings.epochMs), this.#scanGround))
  }

  get(key: Key, options: EntityOptions): Promise<Entity | undefined> {
    return rejectThrown(() => {
      assertCallOptions('get', options)
      assertKey('get', key)
      const lanes = this.#lanesOf(key.shardId)
      return this.#travels(options) ? lanes.get.add(key, options.signal) : this.#single.get(key, options)
    })
  }

  async getMany(keys: readonly Key[], options: EntityOptions): Promise<(Entity | undefined)[]> {
    assertCallOptions('getMany', options)
    return this.#forShards('getMany', keys, (shardId, some) =>
      this.#travels(options)
        ? this.#lanesOf(shardId).get.addAll(some, options.signal)
        : this.#single.getMany(shardId, some, options),
    )
  }

  update(key: Key, update: Change, options: ChangeOptions): Promise<ChangeOutcome> {
    return rejectThrown(() => {
      assertKey('update', key)
      return this.#change({ key, update, condition: conditionOf(options) }, options)
    })
  }

  replace(key: Key, replacement: Replacement, options: ChangeOptions): Promise<ChangeOutcome> {
    return rejectThrown(() => {
      assertKey('replace', key)
      return this.#change({ key, replacement, condition: conditionOf(options) }, options)
    })
  }

  /** What became of a delete; without a condition whether there was something to delete. */
  async delete(key: Key, options: ChangeOptions): Promise<boolean | DeleteOutcome> {
    assertKey('delete', key)
    const lanes = this.#lanesOf(key.shardId)
    const condition = conditionOf(options)
    const outcome = this.#travels(options)
      ? await lanes.delete.add({ key, condition }, options.signal)
      : await this.#single.delete(key, condition, options)
    return hasCondition(options) ? outcome : outcome.status === 'deleted'
  }

  async deleteMany(keys: readonly Key[], options: EntityOptions): Promise<boolean[]> {
    assertCallOptions('deleteMany', options)
    return this.#forShards('deleteMany', keys, async (shardId, some) => {
      if (!this.#travels(options)) return this.#single.deleteMany(shardId, some, options)
      const requests = some.map((key) => ({ key, condition: {} }))
      const outcomes = await this.#lanesOf(shardId).delete.addAll(requests, options.signal)
      return outcomes.map(({ status }) => status === 'deleted')
    })
  }

  exists(key: Key, options: EntityOptions): Promise<boolean> {
    return rejectThrown(() => {
      assertCallOptions('exists', options)
      assertKey('exists', key)
      const lanes = this.#lanesOf(key.shardId)
      return this.#travels(options) ? lanes.exists.add(key, options.signal) : this.#single.exists(key, options)
    })
  }

  #change(request: ChangeRequest, options: EntityOptions): Promise<ChangeOutcome> {
    const lanes = this.#lanesOf(request.key.shardId)
    return this.#travels(options) ? lanes.change.add(request, options.signal) : this.#single.change(request, options)
  }

  /** Does work on the keys of each shard, so many at once, and gives the results in the order of the keys. */
  async #forShards<T>(
    verb: string,
    keys: readonly Key[],
    work: (shardId: number, keys: readonly Key[]) => Promise<T[]>,
  ): Promise<T[]> {
    assertArray('keys', keys)
    for (const key of keys) {
      assertKey(verb, key)
      this.#pools.topology.getServer(key.shardId)
    }
    const results = new Array<T>(keys.length)
    for (const { at, items } of chunksOf(keys, WINDOW)) {
      const groups = [...groupByShard(items)]
      await Promise.all(
        groups.map(async ([shardId, places]) => {
          const some = await work(
            shardId,
            places.map(({ key }) => key),
          )
          places.forEach(({ index }, place) => (results[at + index] = some[place] as T))
        }),
      )
    }
    return results
  }

  #travels({ batch = this.#settings.batch }: EntityOptions): boolean {
    return batch
  }

  #lanesOf(shardId: number): ShardLanes {
    return (this.#lanes[shardId] ??= new ShardLanes(shardId, this.#siteOf(shardId), this.#terms))
  }

  #siteOf(shardId: number): ServerSite {
    const server = this.#pools.topology.getServer(shardId)
    const pool = this.#pools.poolOfServer(server.serverId)
    const site = this.#sites.get(pool) ?? new ServerSite(server, pool, this.#settings)
    this.#sites.set(pool, site)
    return site
  }
}

/** A key, and its place among those that were asked for. */
interface KeyPlace {
  readonly key: Key
  readonly index: number
}

function groupByShard(keys: readonly Key[]): Map<number, KeyPlace[]> {
  const groups = new Map<number, KeyPlace[]>()
  keys.forEach((key, index) => {
    const group = groups.get(key.shardId)
    if (group === undefined) groups.set(key.shardId, [{ key, index }])
    else group.push({ key, index })
  })
  return groups
}
