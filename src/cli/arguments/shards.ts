import { assertShardId } from '../../key/shard-id.ts'
import { parseShardRange, shardsOf } from '../../topology/shard-range.ts'
import { parseInteger } from './numbers.ts'
import { checkUsage } from './usage-error.ts'

/** Parses the number of a shard. */
export function parseShard(name: string, text: string): number {
  return parseInteger(name, text, (value) => assertShardId(value, name))
}

/** Parses numbers and ranges such as `1-9,12`, each shard once, in the order given. */
export function parseShards(name: string, text: string): number[] {
  return [...new Set(text.split(',').flatMap((part) => parsePart(name, part.trim())))]
}

function parsePart(name: string, part: string): number[] {
  if (/^-?\d+$/.test(part)) return [parseShard(name, part)]
  return checkUsage(() => shardsOf(parseShardRange(part, name)))
}
