import type { ShardStatement } from '../../shard/shard-session.ts'

/** Bounds of one statement, in milliseconds. */
export interface ReadBounds {
  readonly statementTimeoutMs: number
  readonly waitTimeoutMs: number
}

/**
 * Settings for a statement that walks along primary keys. The planner guesses how many rows are behind a key, and where it
 * guesses few it reads and sorts all of them, for each page again; so it is told to walk. The workers that it could want
 * beside would not be among the few connections.
 */
const walkSettings = [
  ['enable_seqscan', 'off'],
  ['enable_bitmapscan', 'off'],
  ['enable_sort', 'off'],
  ['max_parallel_workers_per_gather', '0'],
  ['jit', 'off'],
  // Planning takes as long as reading a page does; the values of a page are for no other plan than those of the next.
  ['plan_cache_mode', 'force_generic_plan'],
] as const

/** The statement that makes the transaction it is in walk, within bounds. */
export function walkPreface(bounds: ReadBounds): ShardStatement {
  return preface([...walkSettings.map(([name, value]) => `set_config('${name}', '${value}', true)`)], bounds)
}

/** The statement that bounds the transaction it is in, and leaves the rest to the planner. */
export function boundedPreface(bounds: ReadBounds): ShardStatement {
  return preface([], bounds)
}

/** The part of the time for a statement that a wait for a lock may take at most. */
const LOCK_SHARE = 0.8

/**
 * The server gives up before the connection is cut, so that a read that takes long can be told from a lost one; and it waits
 * for a lock no longer than a caller does for a connection, and always less than for the whole: a smaller part of a read that
 * was too slow is worth a try, one of a table that is locked is not. Bounds of the server that are tighter stay.
 */
function preface(terms: readonly string[], { statementTimeoutMs, waitTimeoutMs }: ReadBounds): ShardStatement {
  const timeout = `least(${currentMs('statement_timeout')}, $1::integer)`
  const lockTimeout = `least(${currentMs('lock_timeout')}, $2::integer, greatest(1, ${LOCK_SHARE} * ${timeout}))`
  const all = [...terms, setMs('statement_timeout', timeout), setMs('lock_timeout', lockTimeout)]
  const values = [String(Math.ceil(statementTimeoutMs / 2)), String(waitTimeoutMs)]
  return { text: `select ${all.join(',\n  ')}`, values, isWrite: false }
}

/** A time of 0 is none. */
function currentMs(name: string): string {
  return `nullif(extract(epoch from current_setting('${name}')::interval) * 1000, 0)`
}

function setMs(name: string, value: string): string {
  return `set_config('${name}', ${value}::integer::text, true)`
}
