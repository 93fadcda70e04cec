import { HypervaultError } from '../errors.ts'
import type { ServerSession } from '../server/server-session.ts'
import { formatShardRanges } from '../topology/shard-range.ts'
import { isSameSpread } from '../topology/spread.ts'
import type { Catalog } from './catalog.ts'
import { readFleet } from './fleet-record.ts'

/*
 * The shards that the values of a fleet are spread over. They are recorded with the first shards of the fleet, in the
 * transaction that places these; after that only changeSpread() changes them.
 */

/** Records the spread unless the catalog has one: these shards, or else all that are placed. */
export async function recordSpread(
  session: ServerSession,
  shardIds: readonly number[] | undefined,
  epoch: number,
): Promise<void> {
  await session.read({
    text: [
      'insert into hypervault.spread (shard_ids, epoch)',
      'select coalesce($1::integer[], array_agg(shard_id order by shard_id)), $2',
      'from hypervault.placements',
      'having count(*) > 0',
      'on conflict do nothing',
    ].join('\n'),
    values: [shardIds === undefined ? null : toArray(shardIds), String(epoch)],
  })
}

/**
 * Spreads values over other shards from now on, and resolves to the new epoch. Moves no row.
 *
 * @param before what was planned on
 * @throws `HV_SPREAD_DIFFERS` if the catalog has another one by now; `HV_SHARD_UNKNOWN` for a shard that no server holds
 */
export async function changeSpread(
  catalog: Catalog,
  { before, after }: { readonly before: readonly number[] | undefined; readonly after: readonly number[] },
): Promise<number> {
  const details = { before: before && formatShardRanges(before), after: formatShardRanges(after) }
  const { epoch } = await catalog.change({ action: 'change spread', details }, async (session, next) => {
    const { servers, spread } = await readFleet(session)
    if (!isSameSpread(spread ?? [], before ?? [])) throw spreadDiffers(before ?? [], spread ?? [])
    assertHeld(
      after,
      servers.flatMap(({ shardIds }) => shardIds),
    )
    const text = [
      'insert into hypervault.spread (shard_ids, epoch) values ($1, $2)',
      'on conflict (only_row) do update set shard_ids = excluded.shard_ids, epoch = excluded.epoch',
    ].join('\n')
    await session.read({ text, values: [toArray(after), String(next)] })
  })
  return epoch
}

/** Throws `HV_SHARD_UNKNOWN` unless each of these shards has a server. */
export function assertHeld(spread: readonly number[], shardIds: readonly number[]): void {
  const held = new Set(shardIds)
  const missing = spread.filter((shardId) => !held.has(shardId))
  const [first] = missing
  if (first === undefined) return
  const text = `no server holds ${formatShardRanges(missing)}: values cannot be spread over shards that do not exist`
  throw new HypervaultError('HV_SHARD_UNKNOWN', text, { shardId: first })
}

function spreadDiffers(planned: readonly number[], found: readonly number[]): HypervaultError<'HV_SPREAD_DIFFERS'> {
  const [spread, recorded] = [formatShardRanges(planned), formatShardRanges(found)]
  const message = `the catalog now spreads values over ${recorded || 'no shards'}, not over ${spread || 'none'}`
  const hint = 'It was changed in the meantime: run `npx pg-hypervault spread show`, and plan again.'
  return new HypervaultError('HV_SPREAD_DIFFERS', message, { spread, recorded: [recorded] }, { hint })
}

function toArray(shardIds: readonly number[]): string {
  return `{${shardIds.join(',')}}`
}
