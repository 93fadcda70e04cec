import { assertCallOptions } from '../../arguments/call-options.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import { withShardSession } from '../../shard/shard-session.ts'
import type { EntityGround } from '../entity-ground.ts'
import type { OperationOptions } from '../operation-options.ts'
import { ReadDesk } from '../read/read-desk.ts'
import type { Entity } from '../rows/entity.ts'
import { withHstoreType } from '../site/hstore-of-site.ts'
import type { ServerSite } from '../site/server-site.ts'
import { explainFind, type FindPlan } from './explain.ts'
import { checkFind, type CheckedQuery, type FindQuery } from './find-query.ts'
import { decodeFound, runFind, type FindRun } from './run-find.ts'

/** Places of a pool that reads leave to others, if it has more than these. */
const PLACES_FOR_OTHERS = 2

/** Finds entities in one shard, on whatever server holds it. */
export class Finder {
  readonly #ground: EntityGround
  readonly #desks = new WeakMap<ServerSite, ReadDesk>()

  constructor(ground: EntityGround) {
    this.#ground = ground
  }

  async find(shardId: number, query: FindQuery, options: OperationOptions): Promise<Entity[]> {
    assertCallOptions('find', options)
    const { epochMs } = this.#ground.settings
    const checked = checkFind(shardId, query, epochMs)
    const rows = await this.#follow(shardId, options, () => this.#run(shardId, checked, options))
    return decodeFound(rows, epochMs)
  }

  async explain(shardId: number, query: FindQuery, options: OperationOptions): Promise<FindPlan> {
    assertCallOptions('explain', options)
    const { epochMs, statementTimeoutMs } = this.#ground.settings
    const checked = checkFind(shardId, query, epochMs)
    return this.#follow(shardId, options, async () => {
      const site = this.#ground.siteOf(shardId)
      const request = { pool: site.pool, shardId, log: this.#ground.log, statementTimeoutMs, signal: options.signal }
      return withHstoreType({ site, query: checked, read: this.#reader(site, shardId, options) }, (hstoreType) =>
        withShardSession(request, (session) => explainFind(session, checked, hstoreType)),
      )
    })
  }

  #run(shardId: number, query: CheckedQuery, options: OperationOptions): Promise<readonly TextRow[]> {
    const site = this.#ground.siteOf(shardId)
    const run = this.#reader(site, shardId, options)
    return withHstoreType({ site, query, read: run }, (hstoreType) => runFind({ shardId, query, hstoreType, run }))
  }

  #follow<T>(shardId: number, { signal }: OperationOptions, work: () => Promise<T>): Promise<T> {
    return this.#ground.follower.run(shardId, { timeoutMs: this.#ground.settings.waitTimeoutMs, signal }, work)
  }

  #reader(site: ServerSite, shardId: number, { signal }: OperationOptions): FindRun['run'] {
    const desk = this.#deskOf(site)
    return (statement) => desk.read(shardId, statement, signal)
  }

  #deskOf(site: ServerSite): ReadDesk {
    const known = this.#desks.get(site)
    if (known !== undefined) return known
    const maxConnections = Math.max(1, site.pool.max - PLACES_FOR_OTHERS)
    const desk = new ReadDesk(site.pool, this.#ground.log, { ...this.#ground.settings, maxConnections, isShared: true })
    this.#desks.set(site, desk)
    return desk
  }
}
