import type { QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { assertCallOptions } from '../../arguments/call-options.ts'
import { HypervaultError } from '../../errors.ts'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'
import type { ShardSession } from '../../shard/shard-session.ts'
import type { TransactionScope } from '../../shard/transaction/transaction-scope.ts'
import type { Change, ChangeOutcome, Replacement } from '../change/change.ts'
import { hasCondition, type ChangeCondition, type DeleteOutcome, type PresentCondition } from '../change/condition.ts'
import type { FindQuery } from '../find/find-query.ts'
import type { KindRegistry } from '../kind/kind-registry.ts'
import { KindTransaction } from '../kind/kind-transaction.ts'
import type { AnyKind } from '../kind/kind.ts'
import { assertKey } from '../rows/assert-key.ts'
import type { Entity } from '../rows/entity.ts'
import type { SessionEntities } from '../session-entities.ts'

/**
 * A transaction in one shard, or one nested in it, for the time of its work. Its operations are done one after the other
 * on one connection, and are there together at the commit. Names without a schema mean those of the shard.
 *
 * Every method throws `HV_TRANSACTION_ENDED` after the end, `HV_TRANSACTION_BUSY` while a nested transaction is not
 * finished, and `HV_SHARD_MISMATCH` for a key of another shard.
 */
export class Transaction {
  readonly #scope: TransactionScope
  readonly #entities: SessionEntities
  readonly #kinds: KindRegistry

  constructor(scope: TransactionScope, entities: SessionEntities, kinds: KindRegistry) {
    this.#scope = scope
    this.#entities = entities
    this.#kinds = kinds
  }

  get shardId(): number {
    return this.#scope.shardId
  }

  get serverId(): string {
    return this.#scope.serverId
  }

  put(kind: number, body: Body): Promise<Key> {
    return this.#scope.operate(() => this.#entities.put(kind, body))
  }

  putMany(kind: number, bodies: readonly Body[]): Promise<Key[]> {
    return this.#scope.operate(() => this.#entities.putMany(kind, bodies))
  }

  get(key: Key): Promise<Entity | undefined> {
    return this.#withKeys('get', [key], () => this.#entities.get(key))
  }

  getMany(keys: readonly Key[]): Promise<(Entity | undefined)[]> {
    return this.#withKeys('getMany', keys, () => this.#entities.getMany(keys))
  }

  exists(key: Key): Promise<boolean> {
    return this.#withKeys('exists', [key], () => this.#entities.exists(key))
  }

  /** As the datastore's `find`. */
  find(query: FindQuery = {}): Promise<Entity[]> {
    return this.#scope.operate(() => this.#entities.find(query))
  }

  /** As the datastore's `update`. */
  async update(key: Key, change: Change, condition: ChangeCondition = {}): Promise<ChangeOutcome> {
    assertCallOptions('a change in a transaction', condition)
    return this.#withKeys('update', [key], () => this.#entities.update(key, change, condition))
  }

  /** As the datastore's `replace`. */
  async replace(key: Key, replacement: Replacement, condition: ChangeCondition = {}): Promise<ChangeOutcome> {
    assertCallOptions('a change in a transaction', condition)
    return this.#withKeys('replace', [key], () => this.#entities.replace(key, replacement, condition))
  }

  /** As the datastore's `delete`: what became of it under a condition, else whether the entity was there. */
  delete(key: Key, condition: PresentCondition): Promise<DeleteOutcome>
  delete(key: Key): Promise<boolean>
  async delete(key: Key, condition: ChangeCondition = {}): Promise<boolean | DeleteOutcome> {
    assertCallOptions('a change in a transaction', condition)
    const outcome = await this.#withKeys('delete', [key], () => this.#entities.delete(key, condition))
    return hasCondition(condition) ? outcome : outcome.status === 'deleted'
  }

  deleteMany(keys: readonly Key[]): Promise<boolean[]> {
    return this.#withKeys('deleteMany', keys, () => this.#entities.deleteMany(keys))
  }

  /** The entities of one kind in this transaction, with its types. Throws what `kind` of the datastore throws. */
  kind<K extends AnyKind>(kind: K): KindTransaction<K> {
    return new KindTransaction(this.#kinds.termsOf(kind), this)
  }

  /**
   * Runs a statement as `pg` does. An error of the server is thrown as it is, that of `pg` with its SQLSTATE in `code`.
   *
   * @throws `HV_CONNECTION_LOST`; `HV_SHARD_MOVED`; `HV_TRANSACTION_ENDED` for a statement that ends the transaction
   */
  query<R extends QueryResultRow = QueryResultRow>(
    text: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult<R>> {
    return this.#scope.query<R>(text, values)
  }

  /**
   * Does work in a nested transaction, a savepoint: when it throws, what it did is undone, and this one can go on. Until
   * it is finished only the object that it is given can be used.
   */
  transaction<T>(work: (tx: Transaction) => T | Promise<T>): Promise<T> {
    return this.#scope.nest(async (scope) => work(new Transaction(scope, this.#entities, this.#kinds)))
  }

  async #withKeys<T>(verb: string, keys: readonly Key[], work: (session: ShardSession) => Promise<T>): Promise<T> {
    for (const key of keys) this.#assertKey(verb, key)
    return this.#scope.operate(work)
  }

  #assertKey(verb: string, key: unknown): void {
    assertKey(verb, key)
    const { shardId } = this
    if (key.shardId === shardId) return
    const message = `${verb} in a transaction of shard ${shardId} was given a key of shard ${key.shardId}`
    throw new HypervaultError('HV_SHARD_MISMATCH', message, { shardId, keyShardId: key.shardId })
  }
}
