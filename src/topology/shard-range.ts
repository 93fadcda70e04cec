import { MAX_SHARD_ID } from '../key/layout.ts'

/** A run of logical shards: `first` is included, `end` is not. */
export interface ShardRange {
  readonly first: number
  readonly end: number
}

/**
 * Reads `'1-9'`: the shards 1 … 8, the end is not included.
 *
 * @param where names the place of the text in messages, such as `connections[0].shards`
 * @throws TypeError for anything but a string, RangeError for malformed, empty, reversed and too large ranges
 */
export function parseShardRange(text: unknown, where: string): ShardRange {
  if (typeof text !== 'string') throw new TypeError(`${where} must be a string such as '1-9', got ${typeof text}`)
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text)
  if (!match) throw new RangeError(`${where} must look like '1-9' (1 to 8), got ${JSON.stringify(text.slice(0, 40))}`)
  const range = { first: Number(match[1]), end: Number(match[2]) }
  const problem = findProblem(range)
  if (problem !== undefined) throw new RangeError(`${where} '${text}' ${problem}`)
  return Object.freeze(range)
}

/**
 * Reads ranges with commas between them, `'1-9,12-17'`, in any order: their shards, ascending.
 *
 * @throws what {@link parseShardRange} throws; RangeError when two ranges share a shard
 */
export function parseShardRanges(text: unknown, where: string): readonly number[] {
  const parts = typeof text === 'string' ? text.split(',') : [text]
  const ranges = parts.map((part) => parseShardRange(typeof part === 'string' ? part.trim() : part, where))
  const shardIds = ranges.flatMap(shardsOf).sort((a, b) => a - b)
  const twice = shardIds.find((shardId, index) => shardId === shardIds[index + 1])
  if (twice !== undefined) throw new RangeError(`${where} '${parts.join(',')}' names shard ${twice} twice`)
  return Object.freeze(shardIds)
}

/** The text that {@link parseShardRange} reads. */
export function formatShardRange({ first, end }: ShardRange): string {
  return `${first}-${end}`
}

/** These shards as ascending ranges without gaps. */
export function runsOf(shardIds: readonly number[]): ShardRange[] {
  const runs: { first: number; end: number }[] = []
  for (const shardId of [...shardIds].sort((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run?.end === shardId) run.end = shardId + 1
    else runs.push({ first: shardId, end: shardId + 1 })
  }
  return runs
}

/** The runs of these shards, in the form of a range each: `1-9,12-13`. */
export function formatShardRanges(shardIds: readonly number[]): string {
  return runsOf(shardIds).map(formatShardRange).join(',')
}

/** The shards of a range, ascending. */
export function shardsOf({ first, end }: ShardRange): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}

/** Tells whether two ranges share a shard. */
export function hasOverlap(a: ShardRange, b: ShardRange): boolean {
  return a.first < b.end && b.first < a.end
}

/**
 * Cuts a range into `parts` runs of nearly equal length, the longer ones first.
 *
 * @throws RangeError when there are more parts than shards
 */
export function splitShardRange(range: ShardRange, parts: number): ShardRange[] {
  const count = range.end - range.first
  if (parts > count) throw new RangeError(`${count} shards cannot be spread over ${parts} servers`)
  const starts = Array.from({ length: parts + 1 }, (_, index) => range.first + Math.ceil((index * count) / parts))
  return starts.slice(0, -1).map((first, index) => ({ first, end: starts[index + 1] ?? range.end }))
}

function findProblem({ first, end }: ShardRange): string | undefined {
  if (first > end) return `is reversed: write '${end}-${first}'`
  if (first === end)
    return `is empty: the end is not included, so write '${first}-${first + 1}' for shard ${first} alone`
  if (end > MAX_SHARD_ID + 1)
    return `leaves 0 … ${MAX_SHARD_ID}: the end is not included, so it is at most ${MAX_SHARD_ID + 1}`
  return undefined
}
