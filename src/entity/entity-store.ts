import { HypervaultError } from '../errors.ts'
import type { Body } from '../hstore/body.ts'
import { decodeHstore } from '../hstore/decode.ts'
import { encodeHstore } from '../hstore/encode.ts'
import { Key } from '../key/key.ts'
import { describeType } from '../key/shard-id.ts'
import type { StatementLog } from '../pool/statement-log.ts'
import type { ServerPools } from '../shard/server-pools.ts'
import { withShardSession, type ShardSession, type TextRow } from '../shard/shard-session.ts'
import { batchesOf, forEachLimited } from './batches.ts'
import { assertKind, type Entity } from './entity.ts'
import { retryKeyCollisions } from './key-collision.ts'
import { findHstoreSchema, insertEntities, insertEntity, selectEntities } from './statements.ts'
import { parseTimestamp } from './timestamp.ts'

/** How an operation may be ended early. */
export interface OperationOptions {
  /** Rejects with the signal's reason. A write in flight is not undone: it may or may not be there. */
  signal?: AbortSignal | undefined
}

/** Settings of an {@link EntityStore}. */
export interface EntityStoreSettings {
  readonly epochMs: number
  readonly statementTimeoutMs: number
  /** Statements of one `getMany` in flight at once; the rest of the pool stays free for others. */
  readonly parallelism: number
}

/** Entities by key: what `put` and `get` do, on whatever server holds the shard. */
export class EntityStore {
  readonly #pools: ServerPools
  readonly #log: StatementLog
  readonly #settings: EntityStoreSettings
  readonly #hstoreTypes = new Map<string, string>()
  readonly #collisions = new Map<string, number>()

  constructor(pools: ServerPools, log: StatementLog, settings: EntityStoreSettings) {
    this.#pools = pools
    this.#log = log
    this.#settings = settings
  }

  /** Keys of this server that had to be made again because they existed. */
  collisionsOf(serverId: string): number {
    return this.#collisions.get(serverId) ?? 0
  }

  async put(shardId: number, kind: number, body: Body, options: OperationOptions): Promise<Key> {
    assertKind(kind)
    const statement = insertEntity(shardId, kind, encodeHstore(body))
    const rows = await this.#inShard(shardId, options, (session) => this.#insert(session, () => session.run(statement)))
    return this.#keyOf(rows[0])
  }

  async putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions): Promise<Key[]> {
    assertKind(kind)
    assertArray('bodies', bodies)
    const batches = batchesOf(bodies.map(encodeAt), (body) => body.length)
    if (batches.length === 0) return []
    const rows = await this.#inShard(shardId, options, (session) =>
      this.#insert(session, () => this.#insertBatches(session, kind, batches)),
    )
    return rows.map((row) => this.#keyOf(row))
  }

  async get(key: Key, options: OperationOptions): Promise<Entity | undefined> {
    assertKey(key)
    const rows = await this.#inShard(key.shardId, options, (session) =>
      session.run(selectEntities(key.shardId, [key.toString()])),
    )
    return rows[0] && this.#decode(rows[0])
  }

  async getMany(keys: readonly Key[], options: OperationOptions): Promise<(Entity | undefined)[]> {
    assertArray('keys', keys)
    keys.forEach((key) => assertKey(key))
    const found = new Map<bigint, Entity>()
    await forEachLimited(this.#readsOf(keys), this.#settings.parallelism, async ([shardId, ids]) => {
      const rows = await this.#inShard(shardId, options, (session) => session.run(selectEntities(shardId, ids)))
      for (const entity of rows.map((row) => this.#decode(row))) found.set(entity.key.id, entity)
    })
    return keys.map((key) => found.get(key.id))
  }

  /** The reads that a `getMany` consists of: no key twice, each shard's keys in bounded statements. */
  #readsOf(keys: readonly Key[]): [number, string[]][] {
    const idsOf = new Map<number, Set<string>>()
    for (const key of keys) {
      const ids = idsOf.get(key.shardId) ?? new Set()
      idsOf.set(key.shardId, ids.add(key.toString()))
    }
    for (const shardId of idsOf.keys()) this.#pools.poolOf(shardId)
    return [...idsOf].flatMap(([shardId, ids]) =>
      batchesOf([...ids], () => 1).map((batch): [number, string[]] => [shardId, batch]),
    )
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
    return retryKeyCollisions({ serverId, shardId }, () => this.#countCollision(serverId), put)
  }

  #countCollision(serverId: string): void {
    this.#collisions.set(serverId, this.collisionsOf(serverId) + 1)
  }

  async #hstoreType(session: ShardSession): Promise<string> {
    const { serverId } = session
    const known = this.#hstoreTypes.get(serverId)
    if (known !== undefined) return known
    const schema = (await session.run(findHstoreSchema))[0]?.[0]
    if (schema == null) throw extensionMissing(serverId)
    this.#hstoreTypes.set(serverId, `${schema}.hstore`)
    return `${schema}.hstore`
  }

  #inShard<T>(shardId: number, { signal }: OperationOptions, work: (session: ShardSession) => Promise<T>): Promise<T> {
    const { statementTimeoutMs } = this.#settings
    const pool = this.#pools.poolOf(shardId)
    return withShardSession({ pool, shardId, log: this.#log, statementTimeoutMs, signal }, work)
  }

  #keyOf(row: TextRow | undefined): Key {
    const id = row?.[0]
    if (id == null) throw new Error('bug: an insert returned no id')
    return new Key(id, this.#settings.epochMs)
  }

  #decode([id, kind, body, updated]: TextRow): Entity {
    if (id == null || kind == null || body == null) throw new Error('bug: a stored entity has a null where none can be')
    return {
      key: new Key(id, this.#settings.epochMs),
      kind: Number(kind),
      body: decodeHstore(body),
      updated: updated == null ? null : parseTimestamp(updated),
    }
  }
}

function assertKey(key: unknown): asserts key is Key {
  if (key instanceof Key) return
  throw new TypeError(`get takes a Key, got ${describeType(key)}: write new Key(id)`)
}

function assertArray(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array, got ${describeType(value)}`)
}

function encodeAt(body: Body, index: number): string {
  try {
    return encodeHstore(body)
  } catch (error) {
    if (error instanceof Error) error.message = `bodies[${index}]: ${error.message}`
    throw error
  }
}

function extensionMissing(serverId: string): HypervaultError {
  const details = { serverId, extension: 'hstore' }
  return new HypervaultError('HV_EXTENSION_MISSING', `server ${serverId} lacks the extension hstore`, details)
}
