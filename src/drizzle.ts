import type { DrizzleConfig } from 'drizzle-orm'
import { drizzle, type NodePgClient, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Shard } from './entity/shard.ts'
import type { Transaction } from './entity/transaction/transaction.ts'

/**
 * Drizzle on the tables of a shard, or inside a transaction of `db.transaction()`, where it cannot begin one of its own.
 * Make one whenever you need it: it holds nothing.
 *
 * @example await drizzleFor(db.shard(5), { schema }).query.users.findMany({ with: { posts: true } })
 */
export function drizzleFor<S extends Record<string, unknown> = Record<string, never>>(
  on: Shard | Transaction,
  config: DrizzleConfig<S> = {},
): NodePgDatabase<S> {
  return drizzle<S, NodePgClient>('pool' in on ? on.pool : clientOf(on), config)
}

/** What Drizzle uses of a client; its class has no "Pool" in its name, so Drizzle asks for no other connection. */
function clientOf(tx: Transaction): NodePgClient {
  const client = { query: (config: string, values?: unknown[]) => tx.query(config, values) }
  return client as unknown as NodePgClient
}
