import { HypervaultError } from '../errors.ts'
import { formatShardRanges } from '../topology/shard-range.ts'
import { holdsShard, type ShardLayout } from './shard-layout.ts'

/**
 * The spread that shards are to carry: the one that is asked for, else the one that they carry already, else the shards
 * that are there, which may have values, else all that will be there.
 *
 * @param layouts the shards that are placed, as far as they are there
 * @throws `HV_SPREAD_DIFFERS` if shards carry another one
 */
export function decideSpread(
  wanted: string | undefined,
  layouts: readonly ShardLayout[],
  placed: readonly number[],
): string | undefined {
  const carried = [...new Set(layouts.flatMap(({ spread }) => spread ?? []))]
  const chosen = wanted ?? carried[0]
  const others = carried.filter((spread) => spread !== chosen)
  if (others.length > 0) throw spreadDiffers(chosen ?? '', carried)
  if (chosen !== undefined) return chosen
  const existing = layouts.filter(holdsShard).map(({ shardId }) => shardId)
  const shardIds = existing.length > 0 ? existing : placed
  return shardIds.length > 0 ? formatShardRanges(shardIds) : undefined
}

function spreadDiffers(spread: string, recorded: string[]): HypervaultError<'HV_SPREAD_DIFFERS'> {
  const message = `values should be spread over the shards ${spread}, but some shards record ${recorded.join(' and ')}`
  const hint = `Plan the change: npx pg-hypervault spread set ${spread} --dry-run`
  return new HypervaultError('HV_SPREAD_DIFFERS', message, { spread, recorded }, { hint })
}
