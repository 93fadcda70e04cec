import { addedIdOf, MAX_ADDED_ID, SEQUENCE_BITS, TIME_SHIFT } from '../../key/layout.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'
import { DRAW_LOCK, PORTION, SMALL } from './batch-keys.ts'

/*
 * Keys of many entities at once, while nobody else takes any: a draw sleeps once, for as long as its keys need, instead of
 * once for each portion, because each sleep lasts longer than a millisecond, on a busy machine much longer.
 *
 *   one key      by `next_id()`: the millisecond in which the draw begins
 *   sleep        until so many milliseconds have gone by that there are 1024 keys in each
 *   numbers      all at once
 *   one key      by `next_id()`: the millisecond in which it ends
 *
 * If the numbers follow each other from the first key to the last one, nobody else has taken any in between. Then the
 * milliseconds between, which are over, belong to this draw alone: 1024 numbers that follow each other go into each, and no
 * more than a portion into the last one, in which others may take keys from now on. Otherwise only the two keys are taken.
 */

/** Most keys of one draw: others who want many wait for ten milliseconds. */
export const MAX_QUIET_DRAW = 10_000

const PER_MS = MAX_ADDED_ID + 1

/** Draws so many keys, at least 3 and at most {@link MAX_QUIET_DRAW}, for {@link readQuietDraw}. See there and `drawKeys()`. */
export function drawQuietKeys(shardId: number, count: number): ShardStatement {
  const schema = shardSchema(shardId)
  const text = [
    'with hv_turn as materialized (',
    `  select pg_advisory_xact_lock(${DRAW_LOCK}, ${shardId})`,
    '), hv_draw as materialized (',
    '  select',
    `    ${schema}.next_id() as hv_first,`,
    `    pg_sleep(${(fullMsOf(count) + 1) / 1_000}) as hv_pause,`,
    '    (',
    `      select array_agg(nextval('${schema}.table_id_seq'::regclass))`,
    `      from generate_series(1, ${count} - 2)`,
    '    ) as hv_numbers,',
    `    ${schema}.next_id() as hv_last`,
    '  from hv_turn',
    ')',
    'select hv_first, hv_last, hv_numbers[1], hv_numbers[cardinality(hv_numbers)]',
    'from hv_draw',
  ].join('\n')
  return { text, values: [], isWrite: false }
}

/** Milliseconds that such a draw fills. */
function fullMsOf(count: number): number {
  return Math.ceil(Math.max(0, count - 1 - PORTION) / PER_MS)
}

/** What a draw gave: the ids ascending; the two ends alone if others took keys meanwhile, or time did not go by the clock. */
export interface QuietDraw {
  readonly ids: readonly bigint[]
  readonly isWhole: boolean
}

/** Reads the row of {@link drawQuietKeys} with this count. */
export function readQuietDraw([row]: readonly TextRow[], count: number): QuietDraw {
  const [first, last] = [parseId(row?.[0]), parseId(row?.[1])]
  const [low, high] = [BigInt(row?.[2] ?? 0), BigInt(row?.[3] ?? 0)]
  const isWhole =
    high - low === BigInt(count - 3) &&
    follows(addedIdOf(first), Number(low & MASK)) &&
    follows(Number(high & MASK), addedIdOf(last)) &&
    (last >> TIME_SHIFT) - (first >> TIME_SHIFT) > BigInt(fullMsOf(count))
  return { isWhole, ids: isWhole ? spread(first, last, count) : [first, last] }
}

function parseId(id: string | null | undefined): bigint {
  if (id == null) throw new Error('bug: no keys were drawn')
  return BigInt(id)
}

const MASK = BigInt(MAX_ADDED_ID)
const ONE_MS = 1n << TIME_SHIFT

function follows(addedId: number, next: number): boolean {
  return next === ((addedId + 1) & MAX_ADDED_ID)
}

/** The first key, and as many up to the last one as fit into the milliseconds before it. */
function spread(first: bigint, last: bigint, count: number): bigint[] {
  const ids = [first]
  const addedId = addedIdOf(first)
  let end = count - PORTION - fullMsOf(count) * PER_MS + PER_MS
  let start = ((last >> SEQUENCE_BITS) << SEQUENCE_BITS) - (BigInt(fullMsOf(count)) << TIME_SHIFT)
  for (let place = 1; place < count; place += 1) {
    if (place === end) [start, end] = [start + ONE_MS, end + PER_MS]
    ids.push(start + (SMALL[(addedId + place) & MAX_ADDED_ID] as bigint))
  }
  return ids
}
