import { packId } from '../key/layout.ts'
import { shardSchema } from '../key/shard-id.ts'
import type { TextRow } from '../pool/text-rows.ts'
import type { ShardStatement } from '../shard/shard-session.ts'

/*
 * Keys of many entities at once. `next_id()` in a tight loop passes 1024 keys per millisecond and repeats itself. So a
 * batch takes sequence numbers, and gives each run of 1024 a millisecond of its own, from that of `next_id()` on, whose
 * clock may have a floor. Batches of one shard take turns until they are committed, because two that share these
 * milliseconds would share keys; a single put that meets one is made again by the primary key's verdict.
 */

/** First half of the advisory lock that batches of the same shard take in turns; `hv` in ASCII. */
const BATCH_LOCK = 0x6876

/** Keys of one shard in one millisecond. */
const RUN = 1024n

/** What a batch draws keys for. */
export interface KeySource {
  readonly shardId: number
  /** Relation with one row for each key. */
  readonly from: string
  /** Columns of it that the keys are put beside. */
  readonly columns: string
}

/** The `with` queries that end with `keyed (id, …columns)`: a key beside each row of the source. */
export function withKeys({ shardId, from, columns }: KeySource): string {
  const schema = shardSchema(shardId)
  return [
    'with turn as materialized (',
    `  select pg_advisory_xact_lock(${BATCH_LOCK}, ${shardId})`,
    '), drawn as materialized (',
    `  select nextval('${schema}.table_id_seq'::regclass) as number, ${columns}`,
    `  from turn cross join ${from}`,
    '), start as materialized (',
    `  select min(number) as number, ${schema}.next_id() >> 23 as ms`,
    '  from drawn',
    '), keyed as materialized (',
    '  select',
    `    (start.ms + (drawn.number - start.number) / 1024) << 23 | ${shardId << 10}::bigint | drawn.number % 1024 as id,`,
    `    ${columns}`,
    '  from drawn cross join start',
    ')',
  ].join('\n')
}

/**
 * Draws so many keys, for {@link readDrawnKeys}. The keys follow from the first sequence number and its millisecond,
 * unless others drew meanwhile: only then each number is sent.
 */
export function drawKeys(shardId: number, count: number): ShardStatement {
  const schema = shardSchema(shardId)
  const text = [
    'with turn as materialized (',
    `  select pg_advisory_xact_lock(${BATCH_LOCK}, ${shardId})`,
    '), drawn as materialized (',
    `  select nextval('${schema}.table_id_seq'::regclass) as number`,
    '  from turn cross join generate_series(1, $1::integer)',
    ')',
    'select',
    `  min(number), ${schema}.next_id() >> 23, pg_current_xact_id(),`,
    '  case when max(number) - min(number) >= count(*) then (select array_agg(number) from drawn) end',
    'from drawn',
  ].join('\n')
  return { text, values: [String(count)], isWrite: true }
}

/**
 * Returns when no batch of the shard is under way on the server any more: on another server than that of a batch, whose
 * transactions have other numbers, this takes the place of asking for its status.
 */
export function waitForTurn(shardId: number): ShardStatement {
  return { text: `select pg_advisory_xact_lock(${BATCH_LOCK}, ${shardId})`, values: [], isWrite: false }
}

/** Takes the turn of a batch whose rows have keys already, for {@link readTurn}. */
export function takeTurn(shardId: number): ShardStatement {
  const text = [
    'with turn as materialized (',
    `  select pg_advisory_xact_lock(${BATCH_LOCK}, ${shardId})`,
    ')',
    'select pg_current_xact_id()',
    'from turn',
  ].join('\n')
  return { text, values: [], isWrite: true }
}

/** The number of the transaction that has the turn. */
export function readTurn(row: TextRow | undefined): string {
  const [transactionId] = row ?? []
  if (transactionId == null) throw new Error('bug: no turn was taken')
  return transactionId
}

/** Keys that were drawn, and the transaction they were drawn in, by which its end can be looked up. */
export interface DrawnKeys {
  readonly ids: bigint[]
  readonly transactionId: string
}

/** Reads the row of {@link drawKeys}: the ids in the order in which they were drawn. */
export function readDrawnKeys(shardId: number, count: number, row: TextRow | undefined): DrawnKeys {
  const [start, ms, transactionId, numbers] = row ?? []
  if (start == null || ms == null || transactionId == null) throw new Error('bug: no keys were drawn')
  const first = BigInt(start)
  const offsets = numbers == null ? Array.from({ length: count }, (_, offset) => offset) : offsetsOf(numbers, first)
  return { ids: makeIds({ shardId, ms: Number(ms), sequence: Number(first % RUN) }, offsets), transactionId }
}

/** Distances from the first number to each of an array. */
function offsetsOf(array: string, first: bigint): number[] {
  const numbers = array.slice(1, -1).split(',')
  return numbers.map((number) => Number(BigInt(number) - first))
}

/** What {@link withKeys} does in SQL. */
function makeIds({ shardId, ms, sequence }: FirstKey, offsets: readonly number[]): bigint[] {
  let last = -1
  let base = 0n
  return offsets.map((offset) => {
    const run = Math.floor(offset / 1024)
    if (run !== last) base = packId({ elapsedMs: ms + run, shardId, addedId: 0 })
    last = run
    return base + BigInt((sequence + offset) % 1024)
  })
}

/** The parts of the first key of a batch. */
interface FirstKey {
  readonly shardId: number
  readonly ms: number
  readonly sequence: number
}
