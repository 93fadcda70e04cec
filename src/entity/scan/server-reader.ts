import { boundByQueryTimeout } from '../../pool/pg-internals.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import type { EntityGround } from '../entity-ground.ts'
import type { CheckedQuery } from '../find/find-query.ts'
import type { IdBounds } from '../find/id-bounds.ts'
import { ReadDesk } from '../read/read-desk.ts'
import { withHstoreType } from '../site/hstore-of-site.ts'
import type { ServerSite } from '../site/server-site.ts'
import { countStatement } from './count/count-statement.ts'
import { pageStatement, type PageRead } from './page-statement.ts'
import { boundedPreface, walkPreface, type ReadBounds } from './walk-settings.ts'

/** Most connections to a server that all scans of a datastore share. */
const MAX_CONNECTIONS = 3

/** Does the reads of all scans and counts, on a few connections to each server. */
export class ServerReader {
  readonly #ground: EntityGround
  readonly #desks = new WeakMap<ServerSite, ReadDesk>()

  constructor(ground: EntityGround) {
    this.#ground = ground
  }

  /** Rows `(id, type, body, updated)` of shards that live on one server, in the order of the query. */
  async read(read: PageRead, query: CheckedQuery, signal: AbortSignal): Promise<TextRow[]> {
    const [first] = read.shardIds as [number]
    const site = this.#ground.siteOf(first)
    const desk = this.#deskOf(site)
    const ask = (statement: ShardStatement): Promise<readonly TextRow[]> => desk.read(first, statement, signal)
    return withHstoreType({ site, query, read: ask }, (hstoreType) =>
      desk.readMany(read.shardIds, pageStatement(read, query, hstoreType), signal, walkPreface(this.#boundsAt(site))),
    )
  }

  /** How many entities a shard has in a stretch of keys. */
  async count(
    shardId: number,
    stretch: IdBounds,
    query: CheckedQuery,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const site = this.#ground.siteOf(shardId)
    const desk = this.#deskOf(site)
    const run = (statement: ShardStatement): Promise<readonly TextRow[]> => desk.read(shardId, statement, signal)
    return withHstoreType({ site, query, read: run }, async (hstoreType) => {
      const statement = countStatement(shardId, stretch, query, hstoreType)
      if (statement === undefined) return 0
      const [row] = await desk.read(shardId, statement, signal, boundedPreface(this.#boundsAt(site)))
      return Number(row?.[0])
    })
  }

  #boundsAt({ pool }: ServerSite): ReadBounds {
    const { statementTimeoutMs, waitTimeoutMs } = this.#ground.settings
    return { statementTimeoutMs: boundByQueryTimeout(pool.clientConfig, statementTimeoutMs), waitTimeoutMs }
  }

  #deskOf(site: ServerSite): ReadDesk {
    const known = this.#desks.get(site)
    if (known !== undefined) return known
    const maxConnections = Math.min(site.pool.max, MAX_CONNECTIONS)
    const desk = new ReadDesk(site.pool, this.#ground.log, {
      ...this.#ground.settings,
      maxConnections,
      isShared: false,
    })
    this.#desks.set(site, desk)
    return desk
  }
}
