import { HypervaultError } from '../errors.ts'
import { readRecordedSpreads } from '../schema/record-spread.ts'
import type { Server } from '../topology/connection-entry.ts'
import { parseShardRanges } from '../topology/shard-range.ts'

/**
 * The shards that the values of these connections are spread over: what is told, else what the shards carry. A server that
 * cannot be asked has no say. Undefined if nobody says anything: all shards then, as `connections` have it by default.
 *
 * @throws TypeError, RangeError; `HV_SPREAD_DIFFERS` when the shards carry several
 */
export async function findImportedSpread(
  servers: readonly Server[],
  spread: string | undefined,
): Promise<readonly number[] | undefined> {
  if (spread !== undefined) return parseShardRanges(spread, 'spread')
  const read = await readRecordedSpreads(servers)
  const recorded = [...new Set(read.flatMap(({ spreads }) => spreads))].sort()
  if (recorded.length > 1) throw severalSpreads(recorded)
  return recorded[0] === undefined ? undefined : parseShardRanges(recorded[0], 'the spread of the shards')
}

function severalSpreads(recorded: string[]): HypervaultError<'HV_SPREAD_DIFFERS'> {
  const message = `the shards record different lists of shards to spread values over: ${recorded.join(' and ')}`
  const hint = 'Repeat the change that has not reached all shards: npx pg-hypervault spread set SHARDS'
  return new HypervaultError('HV_SPREAD_DIFFERS', message, { spread: recorded[0] ?? '', recorded }, { hint })
}
