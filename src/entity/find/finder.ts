import { Key } from '../../key/key.ts'
import type { StatementLog } from '../../pool/statement-log.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import { withShardSession, type ShardStatement } from '../../shard/shard-session.ts'
import type { EntitySettings } from '../entity-settings.ts'
import type { Entity } from '../entity.ts'
import { decodeEntity } from '../get-lane.ts'
import { extensionMissing } from '../hstore-type.ts'
import type { OperationOptions } from '../operation-options.ts'
import type { ServerSite } from '../server-site.ts'
import { findHstoreSchema } from '../statements.ts'
import { needsHstore } from './conditions.ts'
import { explainFind, type FindPlan } from './explain.ts'
import { checkQuery, type CheckedQuery, type FindQuery } from './find-query.ts'
import { ReadDesk } from './read-desk.ts'
import { runFind } from './run-find.ts'

/** Places of a pool that reads leave to others, if it has more than these. */
const PLACES_FOR_OTHERS = 2

/** Finds entities in one shard, on whatever server holds it. */
export class Finder {
  readonly #siteOf: (shardId: number) => ServerSite
  readonly #log: StatementLog
  readonly #settings: EntitySettings
  readonly #desks = new WeakMap<ServerSite, ReadDesk>()

  constructor(siteOf: (shardId: number) => ServerSite, log: StatementLog, settings: EntitySettings) {
    this.#siteOf = siteOf
    this.#log = log
    this.#settings = settings
  }

  async find(shardId: number, query: FindQuery, options: OperationOptions): Promise<Entity[]> {
    const checked = this.#check(shardId, query)
    const site = this.#siteOf(shardId)
    const desk = this.#deskOf(site)
    const hstoreType = await this.#hstoreType(site, desk, shardId, checked, options)
    const run = (statement: ShardStatement): Promise<readonly TextRow[]> =>
      desk.read(shardId, statement, options.signal)
    return this.decode(await runFind({ shardId, query: checked, hstoreType, run }))
  }

  async explain(shardId: number, query: FindQuery, options: OperationOptions): Promise<FindPlan> {
    const checked = this.#check(shardId, query)
    const site = this.#siteOf(shardId)
    const hstoreType = await this.#hstoreType(site, this.#deskOf(site), shardId, checked, options)
    const { statementTimeoutMs } = this.#settings
    const request = { pool: site.pool, shardId, log: this.#log, statementTimeoutMs, signal: options.signal }
    return withShardSession(request, (session) => explainFind(session, checked, hstoreType))
  }

  /** The entities in rows of (id, type, body, updated). */
  decode(rows: readonly TextRow[]): Entity[] {
    return rows.map((row) => decodeEntity(new Key(row[0] ?? '', this.#settings.epochMs), row))
  }

  #check(shardId: number, query: FindQuery): CheckedQuery {
    const checked = checkQuery(query, this.#settings.epochMs)
    const { after } = query
    if (after === undefined || after.shardId === shardId) return checked
    throw new RangeError(`after must be a key of shard ${shardId}, got one of shard ${after.shardId}`)
  }

  /** Where the server keeps hstore: asked once, by the first find that looks into a body. */
  async #hstoreType(
    { hstore, pool }: ServerSite,
    desk: ReadDesk,
    shardId: number,
    query: CheckedQuery,
    { signal }: OperationOptions,
  ): Promise<string | undefined> {
    if (hstore.name !== undefined || !needsHstore(query)) return hstore.name
    const [row] = await desk.read(shardId, findHstoreSchema, signal)
    hstore.learn(row?.[0])
    if (hstore.name === undefined) throw extensionMissing(pool.serverId)
    return hstore.name
  }

  #deskOf(site: ServerSite): ReadDesk {
    const known = this.#desks.get(site)
    if (known !== undefined) return known
    const maxConnections = Math.max(1, this.#settings.poolMax - PLACES_FOR_OTHERS)
    const desk = new ReadDesk(site.pool, this.#log, { ...this.#settings, maxConnections })
    this.#desks.set(site, desk)
    return desk
  }
}
