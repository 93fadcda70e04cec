import { shardSchema } from '../../key/shard-id.ts'
import { withServerSession, type ServerSession } from '../../server/server-session.ts'
import type { ServerSite } from '../../server/server-sites.ts'
import { quoteName } from '../../sql/quote.ts'
import { holdShard } from '../hold-shard.ts'
import type { DriftSettings } from './drift-options.ts'
import type { InvalidIndex, ShardFingerprint } from './drift-report.ts'
import { OPENING, selectFingerprints, selectInvalidIndexes, selectLines } from './shape/shape-sql.ts'

/** Shards of one statement: enough that their number costs nothing, few enough that one ends within a second or two. */
const SHARDS_PER_STATEMENT = 512

/** Longest time for such a statement. Only the rebuilding of an index may take as long as the caller allows. */
const READ_TIMEOUT_MS = 120_000

/** What PostgreSQL names the indexes of a rebuilding that was interrupted. */
const LEFTOVER = /_cc(new|old)\d*$/

/** The shards of one server, as its catalogs have them. */
export class ServerShapes {
  readonly site: ServerSite
  readonly #settings: DriftSettings

  constructor(site: ServerSite, settings: DriftSettings) {
    this.site = site
    this.#settings = settings
  }

  get serverId(): string {
    return this.site.server.serverId
  }

  /** The fingerprints of the shards that are there. */
  async readFingerprints(): Promise<ShardFingerprint[]> {
    const { shardIds } = this.site.server
    const found: ShardFingerprint[] = []
    for (let at = 0; at < shardIds.length; at += SHARDS_PER_STATEMENT) {
      const some = shardIds.slice(at, at + SHARDS_PER_STATEMENT)
      found.push(...(await this.#readSome(some)))
      this.#settings.onProgress(
        Object.freeze({ serverId: this.serverId, done: at + some.length, total: shardIds.length }),
      )
    }
    return found
  }

  /** What a shard is made of, line by line. */
  async readLines(shardId: number): Promise<string[]> {
    const rows = await this.#inSnapshot((session) =>
      session.read(selectLines([shardSchema(shardId)], this.#settings.epochMs)),
    )
    return rows.map(([, line]) => line ?? '')
  }

  async listInvalidIndexes(): Promise<InvalidIndex[]> {
    const schemas = this.site.server.shardIds.map(shardSchema)
    const rows = await this.#withSession((session) => session.read(selectInvalidIndexes(schemas)))
    return rows.map(([schema, name]) => ({ serverId: this.serverId, shardId: shardIdOf(schema), name: name ?? '' }))
  }

  /**
   * Rebuilds an index beside reads and writes; what an earlier rebuilding has left is dropped. False if somebody else
   * changes the shard, who may be about to make this very index.
   */
  async fixIndex({ shardId, name }: InvalidIndex): Promise<boolean> {
    const index = `${shardSchema(shardId)}.${quoteName(name)}`
    const verb = LEFTOVER.test(name) ? 'drop index concurrently if exists' : 'reindex index concurrently'
    const wasHeld = await this.#withSession((session) =>
      holdShard(session, shardId, ['layout', 'index'], () => session.execute([`${verb} ${index}`]).then(() => true)),
    )
    return wasHeld === true
  }

  async #readSome(shardIds: readonly number[]): Promise<ShardFingerprint[]> {
    const rows = await this.#inSnapshot((session) =>
      session.read(selectFingerprints(shardIds.map(shardSchema), this.#settings.epochMs)),
    )
    return rows.map(([schema, fingerprint]) => ({
      serverId: this.serverId,
      shardId: shardIdOf(schema),
      fingerprint: fingerprint ?? '',
    }))
  }

  #inSnapshot<T>(work: (session: ServerSession) => Promise<T>): Promise<T> {
    const statementTimeoutMs = Math.min(this.#settings.statementTimeoutMs, READ_TIMEOUT_MS)
    return this.#withSession((session) => session.transaction(OPENING, () => work(session)), statementTimeoutMs)
  }

  #withSession<T>(
    work: (session: ServerSession) => Promise<T>,
    statementTimeoutMs = this.#settings.statementTimeoutMs,
  ): Promise<T> {
    const { signal } = this.#settings
    signal?.throwIfAborted()
    return withServerSession(this.site.pool, { signal, statementTimeoutMs }, work)
  }
}

function shardIdOf(schema: string | null | undefined): number {
  return Number(schema?.slice('shard'.length))
}
