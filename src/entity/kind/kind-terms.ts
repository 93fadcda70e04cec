import { assertArray } from '../../arguments/arguments.ts'
import { HypervaultError } from '../../errors.ts'
import type { Body } from '../../hstore/body.ts'
import type { Key } from '../../key/key.ts'
import type { Change, ChangeOutcome } from '../change/change.ts'
import {
  conditionOf,
  encodeCondition,
  hasCondition,
  type ChangeCondition,
  type DeleteOutcome,
} from '../change/condition.ts'
import type { Entity } from '../rows/entity.ts'
import type { ReadContext } from './codecs.ts'
import { refusing } from './issues.ts'
import type { KindChange, KindChangeOutcome, KindCondition, KindDeleteOutcome, KindEntity } from './kind-entity.ts'
import type { AnyKind } from './kind.ts'
import { readChange } from './read-change.ts'

/** How often an update that has to read first is tried when others change the entity meanwhile. */
const MAX_ATTEMPTS = 16

/** What the terms of a kind need to know of where they are used. */
export interface KindContext extends ReadContext {
  /** The name of another kind, if it is known. */
  readonly nameOf: (kind: number) => string | undefined
}

/** How an entity is reached for an update. */
export interface ChangeRoute {
  readonly get: () => Promise<Entity | undefined>
  readonly update: (change: Change, condition: ChangeCondition) => Promise<ChangeOutcome>
}

/** The terms of the operations on one kind: what goes in and out of them. Shared by all that have these operations. */
export class KindTerms<K extends AnyKind> {
  readonly kind: K
  readonly #context: KindContext

  constructor(kind: K, context: KindContext) {
    this.kind = kind
    this.#context = context
  }

  bodiesOf(values: readonly unknown[]): Body[] {
    assertArray('values', values)
    return Array.from(values, (value, at) => this.kind.write(value, `values[${at}]: ${this.kind.name}`))
  }

  /** A condition that also asks for this kind. */
  conditionOf(condition: KindCondition): ChangeCondition {
    return { ...conditionOf(condition), ifKind: this.kind.number }
  }

  /** Throws `HV_KIND_MISMATCH` for an entity of another kind, and `HV_KIND_UNREADABLE`. */
  entityOf(entity: Entity): KindEntity<K> {
    this.#assertKind(entity)
    const { key, kind, body, updated } = entity
    const value = this.kind.read(key, body, this.#context) as KindEntity<K>['value']
    return { key, kind, value, body, updated }
  }

  entityIn(entity: Entity | undefined): KindEntity<K> | undefined {
    return entity && this.entityOf(entity)
  }

  outcomeOf(outcome: ChangeOutcome): KindChangeOutcome<K>
  outcomeOf(outcome: DeleteOutcome): KindDeleteOutcome<K>
  outcomeOf(outcome: ChangeOutcome | DeleteOutcome): KindChangeOutcome<K> | KindDeleteOutcome<K> {
    return outcome.status === 'conflict' ? { status: 'conflict', current: this.entityOf(outcome.current) } : outcome
  }

  /**
   * Updates an entity. Where the whole must be judged, what is to be changed is read before, and changed on the
   * condition that it is still that; again if it was not and the caller has set no condition.
   */
  async update(
    key: Key,
    change: KindChange<K>,
    given: KindCondition,
    route: ChangeRoute,
  ): Promise<KindChangeOutcome<K>> {
    const plan = this.kind.planChange(readChange(this.kind.name, change))
    const condition = this.conditionOf(given)
    if (typeof plan !== 'function') return this.outcomeOf(await route.update(plan, condition))
    encodeCondition(condition)
    const compose = (body: Body): Change => {
      const before = this.kind.read(key, body, this.#context)
      return refusing(this.kind.name, () => plan(before, body))
    }
    if (condition.ifBody !== undefined) return this.outcomeOf(await route.update(compose(condition.ifBody), condition))
    return this.outcomeOf(await this.#updateAsRead(compose, condition, hasCondition(given) ? 1 : MAX_ATTEMPTS, route))
  }

  async #updateAsRead(
    compose: (body: Body) => Change,
    condition: ChangeCondition,
    attempts: number,
    route: ChangeRoute,
  ): Promise<ChangeOutcome> {
    let current = await route.get()
    for (let attempt = 1; ; attempt += 1) {
      if (current === undefined) return { status: 'missing' }
      this.#assertKind(current)
      if (isOther(current, condition)) return { status: 'conflict', current }
      const { body: ifBody } = current
      const outcome = await route.update(compose(ifBody), { ...condition, ifBody })
      if (outcome.status !== 'conflict' || attempt >= attempts) return outcome
      current = outcome.current
    }
  }

  #assertKind({ key, kind }: Entity): void {
    const { number: expectedKind, name: expectedName } = this.kind
    if (kind === expectedKind) return
    const name = this.#context.nameOf(kind)
    const found = name === undefined ? `kind ${kind}` : `kind ${kind} (${name})`
    const details = {
      key: key.toString(),
      shardId: key.shardId,
      kind,
      ...(name && { name }),
      expectedKind,
      expectedName,
    }
    const message = `entity ${key.toString()} in shard ${key.shardId} is of ${found}, not of kind ${expectedKind} (${expectedName})`
    throw new HypervaultError('HV_KIND_MISMATCH', message, details)
  }
}

/** Whether it is known already that the condition does not hold, so that the change need not even fit. */
function isOther({ updated }: Entity, { ifUpdatedAt }: ChangeCondition): boolean {
  return updated !== null && ifUpdatedAt !== undefined && ifUpdatedAt?.getTime() !== updated.getTime()
}
