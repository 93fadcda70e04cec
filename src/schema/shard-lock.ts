import type { ServerStatement } from './server-session.ts'

/*
 * The locks of a shard: advisory locks of the server that holds it, for each shard one of each purpose. Whoever changes
 * what a shard is made of has it for that time; readers and writers of entities never ask for it. It ends with the
 * transaction or the session that took it, and so with a program that dies.
 */

/** What a lock is for. Indexes are made beside the rest, because that may take hours. */
export type ShardLockPurpose = keyof typeof classes

/** First halves of the locks, "hvsh" and "hvix"; the second is the shard. */
const classes = { layout: 0x68767368, index: 0x68766978 } as const

/**
 * Takes the lock of a shard until the end of the transaction; waits as long as `lock_timeout` allows. An expression, and
 * the shard may be one too.
 */
export function lockShardExpression(shardId: number | string): string {
  return `pg_advisory_xact_lock(${classes.layout}, ${shardId})`
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
