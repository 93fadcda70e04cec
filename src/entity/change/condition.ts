import { assertOptions, describeType } from '../../arguments/arguments.ts'
import type { Body } from '../../hstore/body.ts'
import { encodeHstore } from '../../hstore/encode.ts'
import { assertKind, type Entity } from '../rows/entity.ts'

/**
 * What must be true of an entity for it to be changed or deleted, looked at by the server in the same statement. All
 * that is given must hold.
 */
export interface ChangeCondition {
  /** The `updated` of the entity as it was read, to the millisecond; null for one that was never changed. */
  readonly ifUpdatedAt?: Date | null
  /** The whole body as it was read; the order of its keys means nothing. */
  readonly ifBody?: Body
  /** The kind that it must be of. */
  readonly ifKind?: number
}

/** A condition that is there. */
export type PresentCondition = ChangeCondition &
  ({ readonly ifUpdatedAt: Date | null } | { readonly ifBody: Body } | { readonly ifKind: number })

/** What became of a delete under a condition. */
export type DeleteOutcome =
  | { readonly status: 'deleted' }
  | { readonly status: 'missing' }
  | {
      readonly status: 'conflict'
      /** The entity as it is instead of what the condition asked for. */
      readonly current: Entity
    }

/** Bits that say what of a change is given: arrays of nulls would need to say it otherwise. */
export const flag = { ifUpdatedAt: 1, ifBody: 2, keepsBody: 4, setsKind: 8, ifKind: 16 } as const

/** A condition as it is sent. */
export interface EncodedCondition {
  readonly flags: number
  /** A timestamp in UTC, or nothing for null. */
  readonly since: string
  /** A body as hstore text. */
  readonly expected: string
  /** A kind; any number if none is demanded. */
  readonly wanted: number
}

/** Tells whether there is a condition. One that is present and undefined is a mistake: it would overwrite silently. */
export function hasCondition(options: ChangeCondition): boolean {
  return 'ifUpdatedAt' in options || 'ifBody' in options || 'ifKind' in options
}

const names = ['ifUpdatedAt', 'ifBody', 'ifKind', 'signal', 'batch']

/** The condition among the options of a call. A misspelt one is a TypeError: without it the change would overwrite silently. */
export function conditionOf(options: ChangeCondition): ChangeCondition {
  assertOptions('a change', options, names)
  if (!hasCondition(options)) return none
  const condition: { ifUpdatedAt?: Date | null; ifBody?: Body; ifKind?: number } = {}
  if ('ifUpdatedAt' in options) condition.ifUpdatedAt = options.ifUpdatedAt
  if ('ifBody' in options) condition.ifBody = options.ifBody
  if ('ifKind' in options) condition.ifKind = options.ifKind
  return condition
}

const none: ChangeCondition = Object.freeze({})

/** Tells whether an encoded change or delete has a condition. */
export function isConditional({ flags }: EncodedCondition): boolean {
  return (flags & (flag.ifUpdatedAt | flag.ifBody | flag.ifKind)) !== 0
}

/** Checks and encodes a condition; a TypeError or RangeError names the part. */
export function encodeCondition(condition: ChangeCondition): EncodedCondition {
  const { ifUpdatedAt, ifBody, ifKind } = condition
  const since = 'ifUpdatedAt' in condition ? encodeTime(ifUpdatedAt) : undefined
  const expected = 'ifBody' in condition ? encodePart('ifBody', ifBody as Body) : undefined
  const wanted = 'ifKind' in condition ? checkKind(ifKind) : undefined
  const flags =
    (since === undefined ? 0 : flag.ifUpdatedAt) |
    (expected === undefined ? 0 : flag.ifBody) |
    (wanted === undefined ? 0 : flag.ifKind)
  return { flags, since: since ?? '', expected: expected ?? '', wanted: wanted ?? 0 }
}

/** Encodes a part of a change, and names it when it is not what hstore can hold. */
export function encodePart(name: string, body: Body): string {
  try {
    return encodeHstore(body)
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`
    throw error
  }
}

function checkKind(kind: unknown): number {
  assertKind(kind, 'ifKind')
  return kind
}

function encodeTime(time: unknown): string {
  if (time === null) return ''
  if (!(time instanceof Date)) throw new TypeError(`ifUpdatedAt must be a Date or null, got ${describeType(time)}`)
  const year = time.getUTCFullYear()
  if (year >= 1 && year <= 9_999) return time.toISOString().slice(0, -1)
  throw new RangeError(`ifUpdatedAt must be a valid Date of the years 1 to 9999, got ${String(time.getTime())}`)
}
