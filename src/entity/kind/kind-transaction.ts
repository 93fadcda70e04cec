import { assertCallOptions } from '../../arguments/call-options.ts'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'
import type { Change, ChangeOutcome, Replacement } from '../change/change.ts'
import { hasCondition, type ChangeCondition, type DeleteOutcome, type PresentCondition } from '../change/condition.ts'
import type { FindQuery } from '../find/find-query.ts'
import { rejectThrown } from '../reject-thrown.ts'
import type { Entity } from '../rows/entity.ts'
import type { InferInput } from './infer.ts'
import type {
  KindChange,
  KindChangeOutcome,
  KindCondition,
  KindDeleteOutcome,
  KindEntity,
  PresentKindCondition,
} from './kind-entity.ts'
import type { KindKey } from './kind-key.ts'
import { writeQuery, type KindQuery } from './kind-query.ts'
import type { KindTerms } from './kind-terms.ts'
import type { AnyKind } from './kind.ts'

/** The operations that those on a kind are made of: a transaction has them. */
export interface TransactionOperations {
  put(kind: number, body: Body): Promise<Key>
  putMany(kind: number, bodies: readonly Body[]): Promise<Key[]>
  get(key: Key): Promise<Entity | undefined>
  getMany(keys: readonly Key[]): Promise<(Entity | undefined)[]>
  find(query: FindQuery): Promise<Entity[]>
  update(key: Key, change: Change, condition: ChangeCondition): Promise<ChangeOutcome>
  replace(key: Key, replacement: Replacement, condition: ChangeCondition): Promise<ChangeOutcome>
  delete(key: Key, condition: PresentCondition): Promise<DeleteOutcome>
}

/** The entities of one kind in a transaction: what `tx.kind(User)` gives. See {@link KindStore} for what each throws. */
export class KindTransaction<K extends AnyKind> {
  readonly kind: K
  readonly #terms: KindTerms<K>
  readonly #tx: TransactionOperations

  /** @internal */
  constructor(terms: KindTerms<K>, tx: TransactionOperations) {
    this.kind = terms.kind
    this.#terms = terms
    this.#tx = tx
  }

  put(value: InferInput<K>): Promise<KindKey<K['name']>> {
    return rejectThrown(() => this.#tx.put(this.kind.number, this.kind.write(value)))
  }

  async putMany(values: readonly InferInput<K>[]): Promise<KindKey<K['name']>[]> {
    return await this.#tx.putMany(this.kind.number, this.#terms.bodiesOf(values))
  }

  async get(key: KindKey<K['name']>): Promise<KindEntity<K> | undefined> {
    return this.#terms.entityIn(await this.#tx.get(key))
  }

  async getMany(keys: readonly KindKey<K['name']>[]): Promise<(KindEntity<K> | undefined)[]> {
    return (await this.#tx.getMany(keys)).map((entity) => this.#terms.entityIn(entity))
  }

  async exists(key: KindKey<K['name']>): Promise<boolean> {
    return (await this.#tx.get(key))?.kind === this.kind.number
  }

  async find(query: KindQuery<K> = {}): Promise<KindEntity<K>[]> {
    return (await this.#tx.find(writeQuery(this.kind, query))).map((entity) => this.#terms.entityOf(entity))
  }

  /** As the `update` of {@link KindStore}. */
  update(key: KindKey<K['name']>, change: KindChange<K>, condition: KindCondition = {}): Promise<KindChangeOutcome<K>> {
    return rejectThrown(() => {
      assertCallOptions('a change of a kind in a transaction', condition)
      return this.#terms.update(key, change, condition, {
        get: () => this.#tx.get(key),
        update: (ready, whole) => this.#tx.update(key, ready, whole),
      })
    })
  }

  /** As the `replace` of {@link KindStore}. */
  async replace(
    key: KindKey<K['name']>,
    value: InferInput<K>,
    condition: KindCondition = {},
  ): Promise<KindChangeOutcome<K>> {
    assertCallOptions('a change of a kind in a transaction', condition)
    const replacement = { body: this.kind.write(value) }
    return this.#terms.outcomeOf(await this.#tx.replace(key, replacement, this.#terms.conditionOf(condition)))
  }

  /** As the `delete` of {@link KindStore}. */
  delete(key: KindKey<K['name']>, condition: PresentKindCondition): Promise<KindDeleteOutcome<K>>
  delete(key: KindKey<K['name']>): Promise<boolean>
  async delete(key: KindKey<K['name']>, condition: KindCondition = {}): Promise<boolean | KindDeleteOutcome<K>> {
    assertCallOptions('a change of a kind in a transaction', condition)
    const whole = this.#terms.conditionOf(condition) as PresentCondition
    const outcome = this.#terms.outcomeOf(await this.#tx.delete(key, whole))
    return hasCondition(condition) ? outcome : outcome.status === 'deleted'
  }

  /** Deletes entities one after the other, and tells of each whether it was there. The first of another kind ends it. */
  async deleteMany(keys: readonly KindKey<K['name']>[]): Promise<boolean[]> {
    const were: boolean[] = []
    for (const key of keys) were.push(await this.delete(key))
    return were
  }
}
