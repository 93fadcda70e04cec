import { assertArray, assertParts, describeType } from '../../arguments/arguments.ts'
import type { Body } from '../../hstore/body.ts'
import { encodeHstore } from '../../hstore/encode.ts'
import type { Key } from '../../key/key.ts'
import type { EntityOptions } from '../operation-options.ts'
import { assertKind, type Entity } from '../rows/entity.ts'
import {
  encodeCondition,
  encodePart,
  flag,
  type ChangeCondition,
  type EncodedCondition,
  type PresentCondition,
} from './condition.ts'

/** What an update does to an entity. What is not named stays. */
export interface Change {
  /** Keys of the body that get these values, whether they are there or not. */
  readonly set?: Body | undefined
  /** Keys that are taken out of the body; what is not there is not there afterwards either. */
  readonly unset?: readonly string[] | undefined
  /** The kind that the entity gets. */
  readonly kind?: number | undefined
}

/** What an entity consists of afterwards: all of this body, and nothing of the one before. */
export interface Replacement {
  readonly body: Body
  /** The kind that the entity gets; default the one that it has. */
  readonly kind?: number | undefined
}

/** How an update or a replace is done: under a condition, if there is one. */
export interface ChangeOptions extends EntityOptions, ChangeCondition {}

/** Options with a condition. */
export type ConditionalOptions = ChangeOptions & PresentCondition

/** What became of an update or a replace. Only `changed` has left something behind. */
export type ChangeOutcome =
  | {
      readonly status: 'changed'
      /** Time of this change as the server knows it; null if the shard has no such column. */
      readonly updated: Date | null
    }
  | { readonly status: 'missing' }
  | {
      readonly status: 'conflict'
      /** The entity as it is instead of what the condition asked for. */
      readonly current: Entity
    }

/** A change as it is sent. */
export interface EncodedChange extends EncodedCondition {
  readonly kind: number
  /** Keys to take out of the body, as hstore text with nulls. */
  readonly unset: string
  /** Pairs to put in, as hstore text. */
  readonly set: string
}

/** An update or a replace of one entity. */
export type ChangeRequest = { readonly key: Key; readonly condition: ChangeCondition } & (
  { readonly update: Change } | { readonly replacement: Replacement }
)

const changeParts = ['set', 'unset', 'kind']
const replacementParts = ['body', 'kind']

/** Checks and encodes a request; a TypeError or RangeError names the part. */
export function encodeChange(request: ChangeRequest): EncodedChange {
  const { condition } = request
  return 'update' in request ? encodeUpdate(request.update, condition) : encodeReplace(request.replacement, condition)
}

function encodeUpdate(change: Change, condition: ChangeCondition): EncodedChange {
  assertParts('an update', change, changeParts)
  const { set = {}, unset = [], kind } = change
  if (!Object.values(change).some((part) => part !== undefined))
    throw new TypeError('an update takes set, unset or kind')
  const gone = { unset: encodeKeys(unset), set: encodePart('set', set) }
  const both = unset.find((key) => Object.hasOwn(set, key))
  if (both !== undefined) throw new TypeError(`key ${JSON.stringify(both)} is both in set and in unset`)
  return { ...encodeKind(kind), ...gone, ...withFlags(flag.keepsBody, kind, condition) }
}

function encodeReplace(replacement: Replacement, condition: ChangeCondition): EncodedChange {
  assertParts('a replacement', replacement, replacementParts)
  const { body, kind } = replacement
  return { ...encodeKind(kind), unset: '', set: encodeHstore(body), ...withFlags(0, kind, condition) }
}

function withFlags(flags: number, kind: number | undefined, condition: ChangeCondition): EncodedCondition {
  const encoded = encodeCondition(condition)
  return { ...encoded, flags: encoded.flags | flags | (kind === undefined ? 0 : flag.setsKind) }
}

function encodeKind(kind: number | undefined): { kind: number } {
  if (kind === undefined) return { kind: 0 }
  assertKind(kind)
  return { kind }
}

function encodeKeys(keys: readonly string[]): string {
  assertArray('unset', keys)
  const wrong: unknown = keys.find((key) => typeof key !== 'string')
  if (wrong !== undefined) throw new TypeError(`unset must be an array of strings, got one with ${describeType(wrong)}`)
  return encodePart('unset', Object.fromEntries(keys.map((key) => [key, null])))
}
