import { TIME_SHIFT } from '../../key/layout.ts'

/*
 * Keys are in the order of their creation when they are read as unsigned numbers; PostgreSQL orders them as signed ones.
 * So the stretch of keys that a find looks at is kept as unsigned bounds, and cut at the sign into at most two runs of
 * signed ids, each of which is a range of the primary key. With the default epoch the second one begins on 2048-07-20.
 */

/** Largest key as an unsigned number. */
const LARGEST = 2n ** 64n - 1n

/** First negative id as an unsigned number. */
const SIGN = 2n ** 63n

/** A stretch of keys as unsigned numbers, both ends included; empty when `first` is greater. */
export interface IdBounds {
  readonly first: bigint
  readonly last: bigint
}

/** What a find says of time and place, checked. */
export interface BoundsRequest {
  /** Milliseconds since 1970: keys made then or later. */
  readonly fromMs: number | undefined
  /** Milliseconds since 1970: keys made before. */
  readonly toMs: number | undefined
  /** Id to go on after, in the direction of the order. */
  readonly after: bigint | undefined
  readonly isAscending: boolean
}

/** The stretch of keys, in whatever shard: its bits are below those of the time. Times that no key holds are cut off. */
export function boundsOf({ fromMs, toMs, after, isAscending }: BoundsRequest, epochMs: number): IdBounds {
  const from = fromMs === undefined ? 0n : firstAt(fromMs, epochMs)
  const to = toMs === undefined ? LARGEST : firstAt(toMs, epochMs) - 1n
  if (after === undefined) return { first: from, last: to }
  const place = BigInt.asUintN(64, after)
  return isAscending ? { first: max(from, place + 1n), last: to } : { first: from, last: min(to, place - 1n) }
}

/** Whether a stretch leaves no key out. */
export function isWhole({ first, last }: IdBounds): boolean {
  return first === 0n && last === LARGEST
}

/** The runs of signed ids in a stretch: those of one sign, or of both; none when it is empty. */
export function signedRuns({ first, last }: IdBounds): IdBounds[] {
  if (first > last) return []
  if (last < SIGN || first >= SIGN) return [{ first: signed(first), last: signed(last) }]
  return [
    { first, last: SIGN - 1n },
    { first: signed(SIGN), last: signed(last) },
  ]
}

/** The first key of a millisecond; 0 before the epoch, and 2^64 after the last one that a key holds. */
function firstAt(timeMs: number, epochMs: number): bigint {
  const id = BigInt(Math.max(0, timeMs - epochMs)) << TIME_SHIFT
  return min(id, LARGEST + 1n)
}

function signed(id: bigint): bigint {
  return BigInt.asIntN(64, id)
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
