import { addedIdOf, MAX_ADDED_ID, SEQUENCE_BITS, TIME_SHIFT } from '../../key/layout.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { ShardStatement } from '../../shard/shard-session.ts'

/*
 * Keys of many entities at once. They are keys of the present, those that single puts get: `next_id()` decides the time,
 * whatever its clock, its floor or its language. It costs several times what a number of its sequence costs, so it is asked at
 * both ends of a section of some sixty keys, and the keys between get their number only. Time does not go back: when both ends
 * lie in the same millisecond, all of the section does, and (millisecond, number % 1024) is what `next_id()` would have given
 * for each number. When they do not, nobody knows where between them the next millisecond began; with a floor that depends
 * on the number itself. Then the numbers between are wasted, and only the two keys of the ends are taken.
 *
 * So a key of a draw differs from every other, of this draw or of anybody, for the same reason for which those of `next_id()`
 * do: each number is given once, and two keys of one millisecond meet only when 1024 numbers lie between them. A tight
 * loop passes that. So whoever draws many sleeps when it has taken a portion out of one millisecond, and before it begins; and
 * draws of one shard take turns, in all processes: all batches together take at most one portion in a millisecond, and leave
 * the rest to single puts.
 *
 * A turn lasts as long as the draw, never as long as what is stored under the keys. What repeats all the same within a draw,
 * because a clock stands, is drawn again; what others hold already, because a clock stepped back or because they took the
 * rest of a millisecond and more, is refused by the primary key, which is the arbiter.
 */

/** First half of the advisory lock that draws for the same shard take in turns; `hw` in ASCII. */
export const DRAW_LOCK = 0x6877

/** First half of the advisory lock of batches that keep their keys, one of a shard at a time; `hv` in ASCII. */
const BATCH_LOCK = 0x6876

/**
 * Keys that a draw takes out of one millisecond before it sleeps. Too many leave too little of its 1024 to others, of whom a
 * single statement may store 512; too few make the draws slower than what they are for, above all on a busy machine, where
 * each sleep lasts long. Who draws alone need not sleep so often: see quiet-keys.ts.
 */
export const PORTION = 384

/**
 * Keys of a section, both ends included; portions are multiples of it. Too many waste too many numbers where a millisecond
 * begins, too few ask `next_id()` too often.
 */
const SECTION = 64

/** Most keys of one draw, so that others get their turn. */
export const MAX_DRAW = 5_000

/** So many keys or fewer are drawn without a turn, in the statement that needs them: as many as a few puts take. */
export const FEW_KEYS = 256

/**
 * Draws so many keys, at most {@link MAX_DRAW}, for {@link readDraw}. The turn ends with the transaction: inside one of the
 * caller it must run under a savepoint that is rolled back. The text holds no parameters so that both fit into one message.
 */
export function drawKeys(shardId: number, count: number): ShardStatement {
  const schema = shardSchema(shardId)
  const text = [
    'with recursive hv_turn as materialized (',
    `  select pg_advisory_xact_lock(${DRAW_LOCK}, ${shardId})`,
    '), hv_sections (hv_left, hv_taken, hv_first, hv_numbers, hv_last) as (',
    `  select ${count}, ${PORTION}, null::bigint, null::bigint[], null::bigint`,
    '  from hv_turn',
    '  union all',
    '  select',
    '    hv_left - 2 - case when hv_first >> 23 = hv_last >> 23 then coalesce(cardinality(hv_numbers), 0) else 0 end,',
    `    case when hv_first >> 23 = hv_before >> 23 and hv_taken < ${PORTION} then hv_taken else 0 end + ${SECTION},`,
    '    hv_first,',
    '    hv_numbers,',
    '    hv_last',
    `  from (${nextSection(schema)}) as hv_section`,
    ')',
    'select',
    '  hv_first,',
    '  hv_last,',
    '  cardinality(hv_numbers),',
    '  case when hv_numbers[cardinality(hv_numbers)] - hv_numbers[1] = cardinality(hv_numbers) - 1',
    '    then hv_numbers[1:1] else hv_numbers end',
    'from hv_sections',
    'where hv_first is not null',
  ].join('\n')
  return { text, values: [], isWrite: false }
}

/** The section after another one: what it selects is evaluated in this order. */
function nextSection(schema: string): string {
  return [
    'select',
    '      hv_left,',
    '      hv_taken,',
    '      hv_last as hv_before,',
    `      case when hv_taken >= ${PORTION} then pg_sleep(0.001) end as hv_pause,`,
    `      ${schema}.next_id() as hv_first,`,
    '      (',
    `        select array_agg(nextval('${schema}.table_id_seq'::regclass))`,
    `        from generate_series(1, least(${SECTION}, hv_left) - 2)`,
    '      ) as hv_numbers,',
    `      ${schema}.next_id() as hv_last`,
    '    from hv_sections',
    '    where hv_left > 0',
    '    offset 0',
  ].join('\n')
}

/** Draws a few keys for the batch of this transaction, and begins it, for {@link readFewKeys}. */
export function drawFewKeys(shardId: number, count: number): ShardStatement {
  const text = [
    'with hv_drawn as materialized (',
    `  select ${shardSchema(shardId)}.next_id() as hv_id`,
    '  from generate_series(1, $1::integer)',
    ')',
    "select encode(string_agg(int8send(hv_id), ''), 'hex'), pg_current_xact_id(), pg_advisory_xact_lock(min(hv_id))",
    'from hv_drawn',
  ].join('\n')
  return { text, values: [String(count)], isWrite: true }
}

/** Begins the batch of this transaction whose keys are drawn, for {@link readTransactionId}. */
export function beginBatch(firstId: bigint): ShardStatement {
  const text = 'select pg_current_xact_id(), pg_advisory_xact_lock($1::bigint)'
  return { text, values: [String(firstId)], isWrite: true }
}

/** Begins the batch of this transaction whose rows have keys already, when no other such batch of the shard is under way. */
export function beginKeptBatch(shardId: number): ShardStatement {
  const text = `select pg_current_xact_id(), pg_advisory_xact_lock(${BATCH_LOCK}, ${shardId})`
  return { text, values: [], isWrite: true }
}

/**
 * Returns when the batch with this first key is not under way on the server any more. On another server than that of the
 * batch, whose transactions have other numbers, this takes the place of asking for its status.
 */
export function waitForBatch(shardId: number, firstId: string): ShardStatement {
  const text = `select pg_advisory_xact_lock(${BATCH_LOCK}, ${shardId}), pg_advisory_xact_lock($1::bigint)`
  return { text, values: [firstId], isWrite: false }
}

/** The number of the transaction of a batch that was begun. */
export function readTransactionId(row: TextRow | undefined): string {
  const transactionId = row?.[0]
  if (transactionId == null) throw new Error('bug: no batch was begun')
  return transactionId
}

/** Reads the row of {@link drawFewKeys}: the ids ascending, and the number of the transaction. */
export function readFewKeys(row: TextRow | undefined): { readonly ids: bigint[]; readonly transactionId: string } {
  const hex = row?.[0]
  if (hex == null) throw new Error('bug: no keys were drawn')
  const bytes = Buffer.from(hex, 'hex')
  const ids = Array.from({ length: bytes.length / 8 }, (_, index) => bytes.readBigInt64BE(index * 8))
  return { ids: sortIds(ids), transactionId: readTransactionId(row?.slice(1)) }
}

/** What a draw gave. */
export interface Draw {
  /** As they were drawn; some may be equal. Perhaps one more than was asked for. */
  readonly ids: readonly bigint[]
  /** Whether nobody else took a key meanwhile. */
  readonly isAlone: boolean
}

/** Reads the rows of {@link drawKeys}. */
export function readDraw(rows: readonly TextRow[]): Draw {
  const ids: bigint[] = []
  const addedIds: number[] = []
  for (const row of rows) {
    const { first, between, last } = readSection(row)
    addedIds.push(addedIdOf(first), ...between, addedIdOf(last))
    ids.push(first)
    const time = (first >> SEQUENCE_BITS) << SEQUENCE_BITS
    if (first >> TIME_SHIFT === last >> TIME_SHIFT)
      for (const addedId of between) ids.push(time + (SMALL[addedId] as bigint))
    ids.push(last)
  }
  return { ids, isAlone: areConsecutive(addedIds) }
}

/** Each sequence of a key as a bigint: the conversion of thousands would take longer than all else. */
export const SMALL: readonly bigint[] = Array.from({ length: MAX_ADDED_ID + 1 }, (_, addedId) => BigInt(addedId))

/** The keys of the ends, and the sequences of the keys between. */
interface Section {
  readonly first: bigint
  readonly between: readonly number[]
  readonly last: bigint
}

function readSection([first, last, count, numbers]: TextRow): Section {
  if (first == null || last == null) throw new Error('bug: no keys were drawn')
  const between = numbers == null ? [] : numbers.slice(1, -1).split(',').map(addedIdOfNumber)
  // The server leaves out all but the first of numbers that follow each other.
  while (between.length < Number(count)) between.push(((between.at(-1) as number) + 1) & MAX_ADDED_ID)
  return { first: BigInt(first), between, last: BigInt(last) }
}

/** The last ten digits say it, because 1024 divides 10 to the power of 10. */
const addedIdOfNumber = (number: string): number => Number(number.slice(-10)) & MAX_ADDED_ID

/** Whether each of these sequences of keys, in the order in which they were drawn, follows the one before. */
export function areConsecutive(addedIds: readonly number[]): boolean {
  return addedIds.every(
    (addedId, index) => index === 0 || addedId === (((addedIds[index - 1] as number) + 1) & MAX_ADDED_ID),
  )
}

/** Ids ascending. */
export function sortIds(ids: readonly bigint[]): bigint[] {
  return Array.from(BigInt64Array.from(ids).sort())
}
