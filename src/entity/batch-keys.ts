import { shardSchema } from '../key/shard-id.ts'
import type { ShardStatement } from '../shard/shard-session.ts'

/*
 * Keys of many entities at once. `next_id()` in a tight loop passes 1024 keys per millisecond and repeats itself. So a
 * batch takes sequence numbers, and gives each run of 1024 a millisecond of its own, from that of `next_id()` on, whose
 * clock may have a floor. Batches of one shard take turns until they are committed, because two that share these
 * milliseconds would share keys; a single put that meets one is made again by the primary key's verdict.
 */

/** First half of the advisory lock that batches of the same shard take in turns; `hv` in ASCII. */
const BATCH_LOCK = 0x6876

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
 * Draws so many keys, as one row of the keys (an array, in order) and the id of the transaction they were drawn in, by
 * which its end can be looked up.
 */
export function drawKeys(shardId: number, count: number): ShardStatement {
  const source = { shardId, from: 'generate_series(1, $1::integer) as given (place)', columns: 'place' }
  const text = `${withKeys(source)}\nselect array_agg(id order by place), pg_current_xact_id() from keyed`
  return { text, values: [String(count)], isWrite: true }
}

/** Reads the array of {@link drawKeys}. */
export function parseIds(array: string): bigint[] {
  return array.slice(1, -1).split(',').map(BigInt)
}
