import type { Body } from '../../hstore/body.ts'
import type { ChangeCondition } from '../change/condition.ts'
import type { EntityOptions } from '../operation-options.ts'
import type { InferOutput, KindSet, KindUnset } from './infer.ts'
import type { AnyKind } from './kind.ts'
import type { KindKey } from './kind-key.ts'

/** One stored entity of a kind. */
export interface KindEntity<K extends AnyKind> {
  readonly key: KindKey<K['name']>
  /** The number of the kind. */
  readonly kind: number
  readonly value: InferOutput<K>
  /** The body as it is stored, with keys that the kind does not know. It serves as `ifBody`. */
  readonly body: Body
  /** Time of the last change, UTC; null if it was never changed, or if the shard has no such column. */
  readonly updated: Date | null
}

/** What an update does to an entity of a kind. What is not named stays. */
export interface KindChange<K extends AnyKind> {
  /** Fields that get these values. */
  readonly set?: KindSet<K>
  /** Fields that are taken out: such as are optional or have a default. */
  readonly unset?: readonly KindUnset<K>[]
}

/** What must be true of an entity of a kind for it to be changed or deleted. */
export type KindCondition = Omit<ChangeCondition, 'ifKind'>

/** A condition that is there. */
export type PresentKindCondition = KindCondition & ({ readonly ifUpdatedAt: Date | null } | { readonly ifBody: Body })

/** How a change of an entity of a kind is done: under a condition, if there is one. */
export interface KindChangeOptions extends EntityOptions, KindCondition {}

/** Neither the entity that was to be changed nor one in its place. */
interface Missing {
  readonly status: 'missing'
}

/** The entity is another than the condition asked for. */
interface Conflict<K extends AnyKind> {
  readonly status: 'conflict'
  /** The entity as it is. */
  readonly current: KindEntity<K>
}

/** What became of an update or a replace. Only `changed` has left something behind. */
export type KindChangeOutcome<K extends AnyKind> =
  | {
      readonly status: 'changed'
      /** Time of this change as the server knows it; null if the shard has no such column. */
      readonly updated: Date | null
    }
  | Missing
  | Conflict<K>

/** What became of a delete under a condition. */
export type KindDeleteOutcome<K extends AnyKind> = { readonly status: 'deleted' } | Missing | Conflict<K>
