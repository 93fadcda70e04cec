import type { ServerStatement } from '../server/server-session.ts'

/*
 * The locks of a shard: advisory locks of the server that holds it, for each shard one of each purpose. Whoever changes
 * what a shard is made of has it for that time; readers and writers of entities never ask for it. It ends with the
 * transaction or the session that took it, and so with a program that dies.
 */

/** What a lock is for. Indexes are made beside the rest, because that may take hours. */
export type ShardLockPurpose = keyof typeof classes

/** First halves of the locks, "hvsh" and "hvix"; the second is the shard. */
const classes = { layout: 0x68767368, index: 0x68766978 } as const

/** Takes the locks of shards until the end of the transaction; waits as long as `lock_timeout` allows. */
export function lockShardsSql(shardIds: readonly number[]): string {
  // Ascending, so that two that want the same shards cannot wait for each other.
  const ascending = [...shardIds].sort((a, b) => a - b)
  return `select pg_advisory_xact_lock(${classes.layout}, shard_id) from unnest(array[${ascending.join(', ')}]) as shard_id`
}

/** Who has a lock of a shard, whatever for: `(pid, user, state, seconds)`. */
export function selectLockHolders(shardId: number): ServerStatement {
  const text = [
    "select pid, coalesce(usename, ''), coalesce(state, ''), coalesce(extract(epoch from clock_timestamp() - xact_start)::int, 0)",
    'from pg_locks join pg_stat_activity using (pid)',
    `where locktype = 'advisory' and classid in (${Object.values(classes).join(', ')}) and objid = $1::int and objsubid = 2`,
    '  and granted and database = (select oid from pg_database where datname = current_database())',
  ].join('\n')
  return { text, values: [shardId] }
}

/** Takes the locks of a shard for all purposes until the end of the transaction, if they are free. Never waits. */
export function tryLockShardWhole(shardId: number): ServerStatement {
  const locks = Object.values(classes).map((purpose) => `pg_try_advisory_xact_lock(${purpose}, $1::int)`)
  return { text: `select ${locks.join(' and ')}`, values: [shardId] }
}

/**
 * Takes a lock of a shard for the session, if it is free. Never waits: a statement that waits holds a snapshot, and an
 * index that is made concurrently waits for all older snapshots.
 */
export function tryLockShard(shardId: number, purpose: ShardLockPurpose): ServerStatement {
  return { text: `select pg_try_advisory_lock(${classes[purpose]}, $1::int)`, values: [shardId] }
}

/** Gives a lock that the session took free again. */
export function unlockShard(shardId: number, purpose: ShardLockPurpose): ServerStatement {
  return { text: `select pg_advisory_unlock(${classes[purpose]}, $1::int)`, values: [shardId] }
}
