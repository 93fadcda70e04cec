/*
 * Tenants with tables of their own. A tenant lives in a shard, and its tables lie in the schema of that shard, where
 * Drizzle reads and writes them by their plain names. One transaction changes a table and an entity together.
 */

import { eq, sql } from 'drizzle-orm'
import { bigint, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { Datastore, type Key } from 'pg-hypervault'
import { drizzleFor } from 'pg-hypervault/drizzle'
import { startCluster } from 'pg-hypervault/testing'

const INVOICE = 7

const accounts = pgTable('accounts', {
  id: bigint({ mode: 'bigint' })
    .primaryKey()
    .default(sql`next_id()`),
  name: text().notNull(),
  balance: integer().notNull().default(0),
})

/** The keys of a table are made by its shard, so they say where the row lives, as those of entities do. */
async function createTables(db: Datastore): Promise<void> {
  const text =
    'create table accounts (id bigint primary key default next_id(), name text not null, balance integer not null default 0)'
  for (const shardId of db.topology.shardIds) await db.shard(shardId).query(text)
}

/** Writes an invoice and takes its amount off the account: both, or neither. */
async function charge(db: Datastore, tenant: string, name: string, amount: number): Promise<Key> {
  return db.transaction(db.shardFor(tenant), async (tx) => {
    const changed = await drizzleFor(tx)
      .update(accounts)
      .set({ balance: sql`${accounts.balance} - ${amount}` })
      .where(eq(accounts.name, name))
      .returning({ balance: accounts.balance })
    if ((changed[0]?.balance ?? -1) < 0) throw new Error(`${tenant}: ${name} cannot pay ${amount}`)
    return tx.put(INVOICE, { tenant, name, amount: String(amount) })
  })
}

await using cluster = await startCluster({ servers: 2, shards: '1-9' })
await using db = new Datastore({ connections: cluster.connections })

await createTables(db)
for (const tenant of ['acme', 'globex']) {
  await drizzleFor(db.shard(db.shardFor(tenant)))
    .insert(accounts)
    .values({ name: 'main', balance: 100 })
}
const invoice = await charge(db, 'acme', 'main', 30)
const refusal = await charge(db, 'globex', 'main', 130).catch((error: unknown) => String(error))
console.log(`invoice in shard ${invoice.shardId === db.shardFor('acme') ? 'of acme' : '?'}; ${refusal}`)
for (const tenant of ['acme', 'globex']) {
  const shard = db.shard(db.shardFor(tenant))
  const [account] = await drizzleFor(shard).select().from(accounts)
  console.log(`${tenant}: ${account?.balance}`)
}
