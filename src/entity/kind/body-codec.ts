import type { Body } from '../../hstore/body.ts'
import type { Change } from '../change/change.ts'
import type { ReadContext } from './codecs.ts'

/** The parts of an update, with the values of fields by name. */
export interface ValueChange {
  readonly set: Readonly<Record<string, unknown>>
  readonly unset: readonly string[]
}

/** A change that is ready to be sent, or what makes one for an entity as it is: its value, and its body. */
export type PlannedChange = Change | ((before: object, current: Body) => Change)

/** How values of a kind are made to bodies and back. Throws a misfit for what does not fit. */
export interface BodyCodec {
  write(value: unknown): Body
  /** Keys of the body that the kind does not know are left out. */
  read(body: Body, context: ReadContext): object
  planChange(change: ValueChange): PlannedChange
  /** The text or null that a field has when it has this value. */
  writeComparison(name: string, value: unknown): string | null
  /** Throws a misfit for a name that is certainly none of a field. */
  assertField(name: string): void
}
