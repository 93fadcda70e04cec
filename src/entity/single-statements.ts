import type { Body } from '../hstore/body.ts'
import { encodeHstore } from '../hstore/encode.ts'
import { Key } from '../key/key.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import type { TextRow } from '../pool/text-rows.ts'
import type { ShardFollower } from '../shard/shard-follower.ts'
import { withShardSession, type ShardSession } from '../shard/shard-session.ts'
import { batchesOf } from './batches.ts'
import type { EntitySettings } from './entity-settings.ts'
import { assertKind, type Entity } from './entity.ts'
import { decodeEntity } from './get-lane.ts'
import { extensionMissing } from './hstore-type.ts'
import { retryKeyCollisions } from './key-collision.ts'
import type { OperationOptions } from './operation-options.ts'
import type { ServerSite } from './server-site.ts'
import { findHstoreSchema, insertEntities, insertEntity, selectEntities, selectEntity } from './statements.ts'

/** Operations that travel alone: each borrows a connection for its own statement, or its own transaction. */
export class SingleStatements {
  readonly #siteOf: (shardId: number) => ServerSite
  readonly #follower: ShardFollower
  readonly #log: StatementLog
  readonly #settings: EntitySettings

  constructor(
    siteOf: (shardId: number) => ServerSite,
    follower: ShardFollower,
    log: StatementLog,
    settings: EntitySettings,
  ) {
    this.#siteOf = siteOf
    this.#follower = follower
    this.#log = log
    this.#settings = settings
  }

  async get(key: Key, options: OperationOptions): Promise<Entity | undefined> {
    const statement = selectEntity(key.shardId, key.toString())
    const [row] = await this.#inShard(key.shardId, options, (session) => session.run(statement))
    return row && decodeEntity(key, row)
  }

  async getMany(shardId: number, keys: readonly Key[], options: OperationOptions): Promise<(Entity | undefined)[]> {
    const ids = keys.map(({ id }) => id)
    const rows = await this.#inShard(shardId, options, (session) => session.run(selectEntities(shardId, ids)))
    const found = new Map(rows.map((row) => [row[0], row]))
    return keys.map((key) => {
      const row = found.get(key.toString())
      return row && decodeEntity(key, row)
    })
  }

  async put(shardId: number, kind: number, body: Body, options: OperationOptions): Promise<Key> {
    assertKind(kind)
    const statement = insertEntity(shardId, kind, encodeHstore(body))
    const rows = await this.#inShard(shardId, options, (session) => this.#insert(session, () => session.run(statement)))
    return this.#keyOf(rows[0])
  }

  async putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions): Promise<Key[]> {
    assertKind(kind)
    const batches = batchesOf(bodies.map(encodeAt), (body) => body.length)
    const work = (session: ShardSession): Promise<TextRow[]> =>
      this.#insert(session, () => this.#insertBatches(session, kind, batches))
    const rows = batches.length === 0 ? [] : await this.#inShard(shardId, options, work)
    return rows.map((row) => this.#keyOf(row))
  }

  /** One batch is one statement; several are one transaction. Either way all bodies are there, or none. */
  async #insertBatches(session: ShardSession, kind: number, batches: readonly string[][]): Promise<TextRow[]> {
    const { epochMs } = this.#settings
    const hstoreType = await this.#hstoreType(session)
    const [first, ...others] = batches.map((bodies) =>
      insertEntities(session.shardId, { kind, bodies, epochMs, hstoreType }),
    )
    if (first === undefined) throw new Error('bug: a put without a batch')
    if (others.length === 0) return session.run(first)
    return session.transaction(async () => {
      const rows: TextRow[] = []
      for (const statement of [first, ...others]) rows.push(...(await session.run(statement)))
      return rows
    })
  }

  #insert<T>(session: ShardSession, put: () => Promise<T>): Promise<T> {
    const { serverId, shardId } = session
    const site = this.#siteOf(shardId)
    return retryKeyCollisions({ serverId, shardId }, () => (site.keyCollisions += 1), put)
  }

  async #hstoreType(session: ShardSession): Promise<string> {
    const { hstore } = this.#siteOf(session.shardId)
    if (hstore.name === undefined) hstore.learn((await session.run(findHstoreSchema))[0]?.[0])
    if (hstore.name === undefined) throw extensionMissing(session.serverId)
    return hstore.name
  }

  #inShard<T>(shardId: number, { signal }: OperationOptions, work: (session: ShardSession) => Promise<T>): Promise<T> {
    const { statementTimeoutMs, waitTimeoutMs } = this.#settings
    return this.#follower.run(shardId, { timeoutMs: waitTimeoutMs, signal }, () => {
      const { pool } = this.#siteOf(shardId)
      return withShardSession({ pool, shardId, log: this.#log, statementTimeoutMs, signal }, work)
    })
  }

  #keyOf(row: TextRow | undefined): Key {
    const id = row?.[0]
    if (id == null) throw new Error('bug: an insert returned no id')
    return new Key(id, this.#settings.epochMs)
  }
}

function encodeAt(body: Body, index: number): string {
  try {
    return encodeHstore(body)
  } catch (error) {
    if (error instanceof Error) error.message = `bodies[${index}]: ${error.message}`
    throw error
  }
}
