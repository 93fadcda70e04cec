import { formatShardRanges } from './shard-range.ts'

/*
 * The spread is the list of shards that `shardFor` spreads values over. It is recorded once and changes only by a
 * deliberate act: the place of a value depends on the length of the list, so that a list that simply followed the shards
 * there are would send the values of a running application elsewhere as soon as a server joined.
 */

/** What another spread would do to values. Rows are not moved by it. */
export interface SpreadPlan {
  /** The shards that values are spread over now, ascending; undefined if that was never recorded. */
  readonly before: readonly number[] | undefined
  readonly after: readonly number[]
  /** Share of all values whose shard is another one afterwards, 0 … 1. */
  readonly movedShare: number
}

/** Plans the change of a spread. */
export function planSpread(before: readonly number[] | undefined, after: readonly number[]): SpreadPlan {
  return Object.freeze({ before, after, movedShare: before === undefined ? 0 : 1 - keptShare(before, after) })
}

/** Whether two lists are the same shards; both are ascending. */
export function isSameSpread(a: readonly number[], b: readonly number[]): boolean {
  return formatShardRanges(a) === formatShardRanges(b)
}

/**
 * A value has a place in either list: its number modulo their lengths. All pairs of places that agree modulo the greatest
 * common divisor of the lengths occur, each equally often, and no others do.
 */
function keptShare(before: readonly number[], after: readonly number[]): number {
  const divisor = greatestCommonDivisor(before.length, after.length)
  const placeAfter = new Map(after.map((shardId, place) => [shardId, place]))
  const kept = before.filter((shardId, place) => {
    const other = placeAfter.get(shardId)
    return other !== undefined && (place - other) % divisor === 0
  })
  return (kept.length * divisor) / (before.length * after.length)
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/** That shards get no values, and what to type about it. */
export interface OutsideSpread {
  readonly what: string
  readonly remedy: string
}

/**
 * Tells of the shards that are there and that no value is spread over, as it is after servers were registered one by one;
 * undefined when there are none. It may be meant so: a fleet that has grown keeps its values where they are.
 */
export function describeOutside(
  spread: readonly number[] | undefined,
  shardIds: readonly number[],
): OutsideSpread | undefined {
  const inside = new Set(spread)
  const others = shardIds.filter((shardId) => !inside.has(shardId))
  if (spread === undefined || others.length === 0) return undefined
  const all = formatShardRanges([...spread, ...others])
  const what = `values are spread over ${spread.length} shards, ${formatShardRanges(spread)}; ${others.length} shards get none: ${formatShardRanges(others)}`
  const remedy = `if nothing is stored by value yet: npx pg-hypervault spread set ${all} --yes; otherwise check the effect first: npx pg-hypervault spread set ${all} --dry-run`
  return { what, remedy }
}
