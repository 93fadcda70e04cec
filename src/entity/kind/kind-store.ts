import { assertArray } from '../../arguments/arguments.ts'
import { assertCallOptions } from '../../arguments/call-options.ts'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'
import type { Change, ChangeOptions, ChangeOutcome, ConditionalOptions, Replacement } from '../change/change.ts'
import { hasCondition, type DeleteOutcome } from '../change/condition.ts'
import type { FindPlan } from '../find/explain.ts'
import type { FindQuery } from '../find/find-query.ts'
import type { LoadOptions, LoadSource } from '../load/load-options.ts'
import type { Load } from '../load/load.ts'
import type { EntityOptions, OperationOptions } from '../operation-options.ts'
import { rejectThrown } from '../reject-thrown.ts'
import type { Entity } from '../rows/entity.ts'
import type { CountOptions } from '../scan/count/count-options.ts'
import type { CountReport } from '../scan/count/count-report.ts'
import type { ScanOptions } from '../scan/scan-query.ts'
import type { Scan } from '../scan/scan.ts'
import type { InferInput } from './infer.ts'
import type {
  KindChange,
  KindChangeOptions,
  KindChangeOutcome,
  KindDeleteOutcome,
  KindEntity,
  PresentKindCondition,
} from './kind-entity.ts'
import type { KindKey } from './kind-key.ts'
import { toBodyLoad, type KindLoadOptions } from './kind-load.ts'
import { writeQuery, type KindCountOptions, type KindQuery } from './kind-query.ts'
import { KindScan, type KindScanOptions } from './kind-scan.ts'
import type { KindTerms } from './kind-terms.ts'
import type { AnyKind } from './kind.ts'

/** The operations that those on a kind are made of: a datastore has them. */
export interface EntityOperations {
  put(shardId: number, kind: number, body: Body, options: EntityOptions): Promise<Key>
  putMany(shardId: number, kind: number, bodies: readonly Body[], options: OperationOptions): Promise<Key[]>
  load(kind: number, source: LoadSource, options: LoadOptions): Load
  get(key: Key, options: EntityOptions): Promise<Entity | undefined>
  getMany(keys: readonly Key[], options: EntityOptions): Promise<(Entity | undefined)[]>
  find(shardId: number, query: FindQuery, options: OperationOptions): Promise<Entity[]>
  scan(options: ScanOptions): Scan
  count(options: CountOptions): Promise<CountReport>
  explain(shardId: number, query: FindQuery, options: OperationOptions): Promise<FindPlan>
  update(key: Key, change: Change, options: ChangeOptions): Promise<ChangeOutcome>
  replace(key: Key, replacement: Replacement, options: ChangeOptions): Promise<ChangeOutcome>
  delete(key: Key, options: ConditionalOptions): Promise<DeleteOutcome>
}

/**
 * The entities of one kind, with its types: what `db.kind(User)` gives. Each operation throws what the operation of the
 * datastore throws; a TypeError that names the places before a value that does not fit is sent; `HV_KIND_MISMATCH` for a
 * key of another kind; and `HV_KIND_UNREADABLE` for a stored entity that is not what the kind says.
 *
 * @example
 * const users = db.kind(User)
 * const key = await users.put(5, { name: 'Ada', born: new Date('1815-12-10') })
 * const user = await users.get(key) // user?.value.name
 */
export class KindStore<K extends AnyKind> {
  readonly kind: K
  readonly #terms: KindTerms<K>
  readonly #entities: EntityOperations

  /** @internal */
  constructor(terms: KindTerms<K>, entities: EntityOperations) {
    this.kind = terms.kind
    this.#terms = terms
    this.#entities = entities
  }

  /** Stores a value in a shard and resolves to its key, after the commit. */
  put(shardId: number, value: InferInput<K>, options: EntityOptions = {}): Promise<KindKey<K['name']>> {
    const { number } = this.kind
    return rejectThrown(() => this.#entities.put(shardId, number, this.kind.write(value), options))
  }

  /** Stores values in a shard, all or none, and resolves to their keys in order. */
  async putMany(
    shardId: number,
    values: readonly InferInput<K>[],
    options: OperationOptions = {},
  ): Promise<KindKey<K['name']>[]> {
    const bodies = this.#terms.bodiesOf(values)
    return await this.#entities.putMany(shardId, this.kind.number, bodies, options)
  }

  /** Stores any number of values in the shards that `shardOf` says: see `load` of the datastore. */
  load(values: AsyncIterable<InferInput<K>> | Iterable<InferInput<K>>, options: KindLoadOptions<InferInput<K>>): Load {
    const load = toBodyLoad(this.kind, values, options)
    return this.#entities.load(this.kind.number, load.source, load.options)
  }

  /** The entity of a key, or undefined if there is none. */
  async get(key: KindKey<K['name']>, options: EntityOptions = {}): Promise<KindEntity<K> | undefined> {
    return this.#terms.entityIn(await this.#entities.get(key, options))
  }

  /** The entities of these keys in their order, undefined where there is none. */
  async getMany(
    keys: readonly KindKey<K['name']>[],
    options: EntityOptions = {},
  ): Promise<(KindEntity<K> | undefined)[]> {
    return (await this.#entities.getMany(keys, options)).map((entity) => this.#terms.entityIn(entity))
  }

  /** Tells whether there is an entity of this key and of this kind. */
  async exists(key: KindKey<K['name']>, options: EntityOptions = {}): Promise<boolean> {
    return (await this.#entities.get(key, options))?.kind === this.kind.number
  }

  /** Finds entities of this kind in a shard, in the order of their creation. */
  async find(shardId: number, query: KindQuery<K> = {}, options: OperationOptions = {}): Promise<KindEntity<K>[]> {
    const found = await this.#entities.find(shardId, writeQuery(this.kind, query), options)
    return found.map((entity) => this.#terms.entityOf(entity))
  }

  /** Tells how a server would do a find, and whether an index serves it. */
  async explain(shardId: number, query: KindQuery<K> = {}, options: OperationOptions = {}): Promise<FindPlan> {
    return this.#entities.explain(shardId, writeQuery(this.kind, query), options)
  }

  /** Walks through the entities of this kind in all shards, in the order of their creation: see `scan` of the datastore. */
  scan(options: KindScanOptions<K> = {}): KindScan<K> {
    return new KindScan(this.#entities.scan(writeQuery(this.kind, options)), this.#terms)
  }

  /** Counts the entities of this kind in each shard: see `count` of the datastore. */
  async count(options: KindCountOptions<K> = {}): Promise<CountReport> {
    return this.#entities.count(writeQuery(this.kind, options))
  }

  /**
   * Sets and unsets fields of an entity; the others stay, also such as the kind does not know. Under a condition only if
   * it still is what that says; otherwise the outcome is a `conflict`.
   *
   * A kind with a schema reads the entity first, because a schema judges a whole. Without a condition it tries again when
   * others have changed the entity meanwhile; if that happens 16 times, the outcome is a `conflict` too.
   */
  update(
    key: KindKey<K['name']>,
    change: KindChange<K>,
    options: KindChangeOptions = {},
  ): Promise<KindChangeOutcome<K>> {
    return rejectThrown(() => {
      assertCallOptions('a change of a kind', options)
      const { signal, batch } = options
      return this.#terms.update(key, change, options, {
        get: () => this.#entities.get(key, { signal, batch }),
        update: (ready, condition) => this.#entities.update(key, ready, { ...options, ...condition }),
      })
    })
  }

  /** Gives an entity another value, and leaves nothing of the one before; under a condition if there is one. */
  async replace(
    key: KindKey<K['name']>,
    value: InferInput<K>,
    options: KindChangeOptions = {},
  ): Promise<KindChangeOutcome<K>> {
    assertCallOptions('a change of a kind', options)
    const replacement = { body: this.kind.write(value) }
    const asKind = { ...options, ...this.#terms.conditionOf(options) }
    return this.#terms.outcomeOf(await this.#entities.replace(key, replacement, asKind))
  }

  /** Deletes an entity, and tells whether it was there; under a condition what became of it. */
  delete(key: KindKey<K['name']>, options: KindChangeOptions & PresentKindCondition): Promise<KindDeleteOutcome<K>>
  delete(key: KindKey<K['name']>, options?: EntityOptions): Promise<boolean>
  async delete(key: KindKey<K['name']>, options: KindChangeOptions = {}): Promise<boolean | KindDeleteOutcome<K>> {
    assertCallOptions('a change of a kind', options)
    const asKind = { ...options, ...this.#terms.conditionOf(options) } as ConditionalOptions
    const outcome = this.#terms.outcomeOf(await this.#entities.delete(key, asKind))
    return hasCondition(options) ? outcome : outcome.status === 'deleted'
  }

  /**
   * Deletes entities, and tells of each whether it was there, in the order of the keys. One of another kind stays and is
   * `HV_KIND_MISMATCH`, after all others are deleted.
   */
  async deleteMany(keys: readonly KindKey<K['name']>[], options: EntityOptions = {}): Promise<boolean[]> {
    assertCallOptions('deleteMany', options)
    assertArray('keys', keys)
    const ends = await Promise.allSettled(keys.map((key) => this.delete(key, options)))
    return ends.map((end) => {
      if (end.status === 'rejected') throw end.reason
      return end.value
    })
  }
}
