import { addedIdOf } from '../key/layout.ts'
import { shardSchema } from '../key/shard-id.ts'
import type { TextRow } from '../pool/text-rows.ts'
import type { ShardStatement } from '../shard/shard-session.ts'

/*
 * Keys of many entities at once. They are keys of the present, as single puts get them: each comes from `next_id()` itself,
 * whatever its clock, its floor or its language. A shard has 1024 keys in a millisecond, and a tight loop of `next_id()`
 * passes that. So who draws many sleeps for a millisecond before every portion, and draws of one shard take turns, in all
 * processes: all batches together take at most one portion in a millisecond, and leave the rest to single puts.
 *
 * A turn lasts as long as the draw, never as long as what is stored under the keys. What repeats all the same, because a
 * clock stands, is drawn again; what others hold already is refused by the primary key, which is the arbiter.
 */

/** First half of the advisory lock that draws for the same shard take in turns; `hw` in ASCII. */
const DRAW_LOCK = 0x6877

/** First half of the advisory lock of batches that keep their keys, one of a shard at a time; `hv` in ASCII. */
const BATCH_LOCK = 0x6876

/**
 * Keys between two sleeps. Too many leave too little of a millisecond's 1024 to others, of whom a single statement may store
 * 512; too few make the draws slower than what they are for, above all on a busy machine, where each sleep lasts long. So they
 * are few while others take keys as well, and many while nobody does.
 */
export const PORTION = { beside: 384, alone: 768 } as const

/** Most keys of one draw, so that others get their turn. */
export const MAX_DRAW = 5_000

/** So many keys or fewer are drawn without a turn, in the statement that needs them: as many as a few puts take. */
export const FEW_KEYS = 256

/**
 * Draws so many keys, at most {@link MAX_DRAW}, for {@link readIds}. The turn ends with the transaction: inside one of the
 * caller it must run under a savepoint that is rolled back. The text holds no parameters so that both fit into one message.
 */
export function drawKeys(shardId: number, count: number, portion: number = PORTION.beside): ShardStatement {
  const text = [
    'with hv_turn as materialized (',
    `  select pg_advisory_xact_lock(${DRAW_LOCK}, ${shardId})`,
    '), hv_drawn as materialized (',
    '  select',
    `    case when hv_place % ${portion} = 1 then pg_sleep(0.001) end as hv_pause,`,
    `    ${shardSchema(shardId)}.next_id() as hv_id`,
    `  from hv_turn cross join generate_series(1, ${count}) as hv_place`,
    ')',
    "select encode(string_agg(int8send(hv_id), ''), 'hex')",
    'from hv_drawn',
  ].join('\n')
  return { text, values: [], isWrite: false }
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
  return { ids: sortIds(readIds(row)), transactionId: readTransactionId(row?.slice(1)) }
}

/** Reads the row of {@link drawKeys}: the ids as they were drawn. */
export function readIds(row: TextRow | undefined): bigint[] {
  const hex = row?.[0]
  if (hex == null) throw new Error('bug: no keys were drawn')
  const bytes = Buffer.from(hex, 'hex')
  return Array.from({ length: bytes.length / 8 }, (_, index) => bytes.readBigInt64BE(index * 8))
}

/** Whether nobody else took a key between these, which stand in the order in which they were drawn. */
export function areConsecutive(ids: readonly bigint[]): boolean {
  return ids.every((id, index) => index === 0 || addedIdOf(id - 1n) === addedIdOf(ids[index - 1] as bigint))
}

/** Ids ascending. */
export function sortIds(ids: readonly bigint[]): bigint[] {
  return Array.from(BigInt64Array.from(ids).sort())
}
