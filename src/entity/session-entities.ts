import { isHypervaultError } from '../errors.ts'
import type { Body } from '../hstore/body.ts'
import { encodeHstore } from '../hstore/encode.ts'
import { Key } from '../key/key.ts'
import type { TextRow } from '../pool/text-rows.ts'
import type { ShardSession, ShardStatement } from '../shard/shard-session.ts'
import {
  changeEntities,
  deleteIf,
  deletePlain,
  findIds,
  findUpdatedColumn,
  type EntityLayout,
} from './change/change-statements.ts'
import { encodeChange, type Change, type ChangeOutcome, type ChangeRequest, type Replacement } from './change/change.ts'
import {
  conditionOf,
  encodeCondition,
  isConditional,
  type ChangeCondition,
  type DeleteOutcome,
  type EncodedCondition,
} from './change/condition.ts'
import { changeOutcome, deleteOutcome } from './change/outcomes.ts'
import { assertUpdated } from './change/updated-missing.ts'
import type { EntitySettings } from './entity-settings.ts'
import { needsHstore } from './find/conditions.ts'
import { checkFind, type FindQuery } from './find/find-query.ts'
import { decodeFound, runFind } from './find/run-find.ts'
import { FEW_KEYS } from './rows/batch-keys.ts'
import { batchesOf } from './rows/batches.ts'
import { decodeEntity } from './rows/decode-entity.ts'
import { assertKind, type Entity } from './rows/entity.ts'
import { countCollision, pauseAfter, retryKeyCollisions } from './rows/key-collision.ts'
import { drawDistinctKeys } from './rows/key-drawer.ts'
import {
  insertEntities,
  insertEntity,
  insertSome,
  insertUntaken,
  selectEntities,
  selectEntity,
} from './rows/statements.ts'
import { extensionMissing } from './site/hstore-type.ts'
import type { ServerSite } from './site/server-site.ts'

/** The operations on entities, bound to one session of their shard. */
export class SessionEntities {
  readonly #session: ShardSession
  readonly #site: ServerSite
  readonly #settings: Pick<EntitySettings, 'epochMs'>

  readonly #onCollision = (): void => void (this.#site.keyCollisions += 1)

  constructor(session: ShardSession, site: ServerSite, settings: Pick<EntitySettings, 'epochMs'>) {
    this.#session = session
    this.#site = site
    this.#settings = settings
  }

  async get(key: Key): Promise<Entity | undefined> {
    const [row] = await this.#session.run(selectEntity(this.#session.shardId, key.toString()))
    return row && decodeEntity(key, row)
  }

  async getMany(keys: readonly Key[]): Promise<(Entity | undefined)[]> {
    const ids = keys.map(({ id }) => id)
    const rows = await this.#session.run(selectEntities(this.#session.shardId, ids))
    const found = new Map(rows.map((row) => [row[0], row]))
    return keys.map((key) => {
      const row = found.get(key.toString())
      return row && decodeEntity(key, row)
    })
  }

  async put(kind: number, body: Body): Promise<Key> {
    assertKind(kind)
    return this.putText(kind, encodeHstore(body))
  }

  /** Puts one body that is checked and encoded. */
  async putText(kind: number, body: string): Promise<Key> {
    if (this.#session.isInTransaction) return this.#keyOf(await this.#insertUntaken(kind, body))
    const statement = insertEntity(this.#session.shardId, kind, body)
    const [row] = await this.#insert(() => this.#session.run(statement))
    return this.#keyOf(row)
  }

  async putMany(kind: number, bodies: readonly Body[]): Promise<Key[]> {
    return this.putBatches(kind, encodeBodies(kind, bodies))
  }

  /** Puts what {@link encodeBodies} made. */
  async putBatches(kind: number, batches: readonly string[][]): Promise<Key[]> {
    if (batches.length === 0) return []
    const ids = await this.#insert((attempt) =>
      attempt === 1 && isFew(batches)
        ? this.#insertFew(kind, batches[0])
        : this.#insertMany(kind, batches, attempt > 1),
    )
    return ids.map((id) => new Key(id, this.#settings.epochMs))
  }

  /** Finds entities of the shard; a TypeError or a RangeError for a query that is none. */
  async find(query: FindQuery = {}): Promise<Entity[]> {
    const { shardId } = this.#session
    const { epochMs } = this.#settings
    const checked = checkFind(shardId, query, epochMs)
    const hstoreType = needsHstore(checked) ? await this.hstoreType() : undefined
    const rows = await runFind({
      shardId,
      query: checked,
      hstoreType,
      run: (statement) => this.#session.run(statement),
    })
    return decodeFound(rows, epochMs)
  }

  update(key: Key, update: Change, condition: ChangeCondition = {}): Promise<ChangeOutcome> {
    return this.change({ key, update, condition: conditionOf(condition) })
  }

  replace(key: Key, replacement: Replacement, condition: ChangeCondition = {}): Promise<ChangeOutcome> {
    return this.change({ key, replacement, condition: conditionOf(condition) })
  }

  async delete(key: Key, condition: ChangeCondition = {}): Promise<DeleteOutcome> {
    const encoded = encodeCondition(conditionOf(condition))
    const [row] = isConditional(encoded)
      ? await this.#runChange(encoded, (layout) =>
          deleteIf(this.#session.shardId, [{ id: key.id, condition: encoded }], layout),
        )
      : await this.#session.run(deletePlain(this.#session.shardId, [key.id]))
    return deleteOutcome(key, row)
  }

  /** Tells for each key whether it was there; of a key that is named twice, for the first. */
  async deleteMany(keys: readonly Key[]): Promise<boolean[]> {
    const ids = new Set(keys.map(({ id }) => id))
    if (ids.size === 0) return []
    const rows = await this.#session.run(deletePlain(this.#session.shardId, [...ids]))
    const gone = new Set(rows.map(([id]) => id))
    return keys.map((key) => gone.delete(key.toString()))
  }

  async exists(key: Key): Promise<boolean> {
    const rows = await this.#session.run(findIds(this.#session.shardId, [key.id]))
    return rows.length > 0
  }

  /** The type `hstore` of this server, qualified and quoted: asked once for each server. */
  async hstoreType(): Promise<string> {
    const name = await this.#site.hstore.find((statement) => this.#session.run(statement))
    if (name === undefined) throw extensionMissing(this.#session.serverId)
    return name
  }

  /** Stores a few bodies as single puts that travel together are stored. */
  async #insertFew(kind: number, bodies: readonly string[]): Promise<bigint[]> {
    const kinds = bodies.map(() => kind)
    const statement = insertSome(this.#session.shardId, kinds, bodies, await this.hstoreType())
    const rows = await this.#session.run(statement)
    return rows.map(([id]) => BigInt(id as string))
  }

  /** One batch is one statement; several are one transaction. Either way all bodies are there, or none. */
  async #insertMany(kind: number, batches: readonly string[][], isWary: boolean): Promise<bigint[]> {
    const session = this.#session
    const hstoreType = await this.hstoreType()
    const count = batches.reduce((sum, { length }) => sum + length, 0)
    const ids = await drawDistinctKeys(session, { count, isWary, site: this.#site })
    let at = 0
    const statements = batches.map((bodies) => {
      const own = ids.slice(at, (at += bodies.length))
      return insertEntities(session.shardId, { kind, ids: own, bodies, hstoreType })
    })
    await this.#runAll(statements)
    return ids
  }

  async #runAll(statements: readonly ShardStatement[]): Promise<void> {
    const [only] = statements
    if (only !== undefined && statements.length === 1) await this.#session.run(only)
    else {
      await this.#session.transaction(async () => {
        for (const statement of statements) await this.#session.run(statement)
      })
    }
  }

  /** Does an update or a replace. */
  async change(request: ChangeRequest): Promise<ChangeOutcome> {
    const { key } = request
    const change = encodeChange(request)
    const items = [{ id: key.id, change }]
    const [row] = await this.#runChange(change, (layout) => changeEntities(this.#session.shardId, items, layout))
    return changeOutcome(key, row)
  }

  /** Runs a statement that is written for the layout of the shard's table; again if it was not that. */
  async #runChange(condition: EncodedCondition, compose: (layout: EntityLayout) => ShardStatement): Promise<TextRow[]> {
    const { shardId } = this.#session
    const { updated } = this.#site
    const hstoreType = await this.hstoreType()
    await this.#ascertainLayout()
    const hasUpdated = updated.has(shardId)
    try {
      const rows = await this.#session.run(compose({ hstoreType, hasUpdated }))
      assertUpdated(condition, hasUpdated, this.#session)
      return rows
    } catch (error) {
      const wasOther = isHypervaultError(error) && updated.isRefuted(shardId, hasUpdated, error.cause)
      if (!wasOther || this.#session.isInTransaction) throw error
      return this.#runChange(condition, compose)
    }
  }

  /** Inside a transaction the layout is asked for before, because a refusal would be the end of the transaction. */
  async #ascertainLayout(): Promise<void> {
    const { shardId, isInTransaction } = this.#session
    const { updated } = this.#site
    if (!isInTransaction || updated.isCertain(shardId)) return
    updated.learn(shardId, (await this.#session.run(findUpdatedColumn(shardId))).length > 0)
  }

  /** Inside a transaction a refusal would be its end: there a put that is tried again stands in a savepoint. */
  #insert<T>(put: (attempt: number) => Promise<T>): Promise<T> {
    const session = this.#session
    const { serverId, shardId, isInTransaction } = session
    const tryOnce = isInTransaction ? (attempt: number) => session.transaction(() => put(attempt)) : put
    return retryKeyCollisions({ serverId, shardId }, this.#onCollision, tryOnce)
  }

  /** Inserts one entity; again while the key that the server gives out exists, which is no failure here. */
  async #insertUntaken(kind: number, body: string): Promise<TextRow> {
    const { serverId, shardId } = this.#session
    for (let attempts = 1; ; attempts += 1) {
      const [row] = await this.#session.run(insertUntaken(shardId, kind, body))
      if (row !== undefined) return row
      countCollision({ serverId, shardId, attempts }, this.#onCollision)
      await pauseAfter(attempts)
    }
  }

  #keyOf(row: TextRow | undefined): Key {
    const id = row?.[0]
    if (id == null) throw new Error('bug: an insert returned no id')
    return new Key(id, this.#settings.epochMs)
  }
}

/** Whether bodies are so few that their keys can be drawn in the statement that stores them. */
function isFew(batches: readonly string[][]): batches is [string[]] {
  const [first = []] = batches
  return batches.length === 1 && first.length <= FEW_KEYS
}

/** Checks and encodes the bodies of a `putMany`, cut into statements. An error names the place of the body. */
export function encodeBodies(kind: number, bodies: readonly Body[]): string[][] {
  assertKind(kind)
  return batchesOf(bodies.map(encodeAt), (body) => body.length)
}

function encodeAt(body: Body, index: number): string {
  try {
    return encodeHstore(body)
  } catch (error) {
    if (error instanceof Error) error.message = `bodies[${index}]: ${error.message}`
    throw error
  }
}
