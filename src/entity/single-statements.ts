import type { Body } from '../hstore/body.ts'
import { encodeHstore } from '../hstore/encode.ts'
import type { Key } from '../key/key.ts'
import { withShardSession } from '../shard/shard-session.ts'
import { encodeChange, type ChangeOutcome, type ChangeRequest } from './change/change.ts'
import { encodeCondition, type ChangeCondition, type DeleteOutcome } from './change/condition.ts'
import type { EntityGround } from './entity-ground.ts'
import type { OperationOptions } from './operation-options.ts'
import { assertKind, type Entity } from './rows/entity.ts'
import { encodeBodies, SessionEntities } from './session-entities.ts'

/** Operations that travel alone: each borrows a connection for its own statement, or its own transaction. */
export class SingleStatements {
  readonly #ground: EntityGround

  constructor(ground: EntityGround) {
    this.#ground = ground
  }

  get(key: Key, options: OperationOptions): Promise<Entity | undefined> {
    return this.#inShard(key.shardId, options, (entities) => entities.get(key))
  }

  getMany(shardId: number, keys: readonly Key[], options: OperationOptions): Promise<(Entity | undefined)[]> {
    return this.#inShard(shardId, options, (entities) => entities.getMany(keys))
  }

  async put(shardId: number, kind: number, body: Body, options: OperationOptions): Promise<Key> {
    assertKind(kind)
    const text = encodeHstore(body)
    return this.#inShard(shardId, options, (entities) => entities.putText(kind, text))
  }

  async putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions): Promise<Key[]> {
    const batches = encodeBodies(kind, bodies)
    if (batches.length === 0) return []
    return this.#inShard(shardId, options, (entities) => entities.putBatches(kind, batches))
  }

  async change(request: ChangeRequest, options: OperationOptions): Promise<ChangeOutcome> {
    encodeChange(request)
    return this.#inShard(request.key.shardId, options, (entities) => entities.change(request))
  }

  async delete(key: Key, condition: ChangeCondition, options: OperationOptions): Promise<DeleteOutcome> {
    encodeCondition(condition)
    return this.#inShard(key.shardId, options, (entities) => entities.delete(key, condition))
  }

  deleteMany(shardId: number, keys: readonly Key[], options: OperationOptions): Promise<boolean[]> {
    return this.#inShard(shardId, options, (entities) => entities.deleteMany(keys))
  }

  exists(key: Key, options: OperationOptions): Promise<boolean> {
    return this.#inShard(key.shardId, options, (entities) => entities.exists(key))
  }

  /** Borrows a session of a shard, wherever it lives, for its entities. Nothing is sent before `work` does. */
  #inShard<T>(
    shardId: number,
    { signal }: OperationOptions,
    work: (entities: SessionEntities) => Promise<T>,
  ): Promise<T> {
    const { siteOf, follower, log, settings } = this.#ground
    const { statementTimeoutMs, waitTimeoutMs, preparedMax } = settings
    return follower.run(shardId, { timeoutMs: waitTimeoutMs, signal }, async () => {
      const site = siteOf(shardId)
      const request = { pool: site.pool, shardId, log, statementTimeoutMs, signal, preparedMax }
      const run = (): Promise<T> =>
        withShardSession(request, (session) => work(new SessionEntities(session, site, settings)))
      const { name } = site.hstore
      try {
        return await run()
      } catch (error) {
        if (!site.hstore.isRefuted(name, error)) throw error
        return await run()
      }
    })
  }
}
