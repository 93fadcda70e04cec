import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { desc, eq, relations, sql } from 'drizzle-orm'
import { bigint, integer, jsonb, pgTable, serial, text, timestamp, type AnyPgColumn } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Datastore, isHypervaultError, type Key } from '../../src/index.ts'
import { drizzleFor } from '../../src/drizzle.ts'
import { provision } from '../../src/schema/provision.ts'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

/* What Drizzle's own documents show, on a shard. */

const users = pgTable('users', {
  id: serial().primaryKey(),
  name: text().notNull(),
  balance: integer().notNull().default(100),
  score: bigint({ mode: 'bigint' }),
  settings: jsonb().$type<{ theme: string }>(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
  invitedBy: integer('invited_by').references((): AnyPgColumn => users.id),
})
const posts = pgTable('posts', {
  id: serial().primaryKey(),
  content: text().notNull(),
  authorId: integer('author_id').references(() => users.id),
})
const usersRelations = relations(users, ({ one, many }) => ({
  inviter: one(users, { fields: [users.invitedBy], references: [users.id] }),
  posts: many(posts),
}))
const postsRelations = relations(posts, ({ one }) => ({
  author: one(users, { fields: [posts.authorId], references: [users.id] }),
}))
const schema = { users, posts, usersRelations, postsRelations }

const tables = `
  create table users (
    id serial primary key, name text not null, balance int not null default 100, score bigint, settings jsonb,
    created_at timestamptz not null default now(), invited_by int references users
  );
  create table posts (id serial primary key, content text not null, author_id int references users)`

let databases: TestDatabases
let db: Datastore

beforeAll(async () => {
  databases = await createDatabases(2)
  const [first, second] = databases.connections
  const connections = [
    { ...first, shards: '1-4' },
    { ...second, shards: '4-7' },
  ]
  await provision(connections)
  db = new Datastore({ connections, poolMax: 4 })
  for (const shardId of db.topology.shardIds) await drizzleFor(db.shard(shardId)).execute(tables)
})
afterAll(async () => {
  await db.disconnect()
  await databases.drop()
})

/** The sum of what all users of a shard have, and how many there are. */
async function totals(shardId: number): Promise<unknown> {
  const { rows } = await db.shard(shardId).query('select count(*)::int as users, sum(balance)::int as sum from users')
  return rows[0]
}

describe('Drizzle with the pool of a shard', () => {
  it('inserts, selects, updates and deletes', async () => {
    const orm = drizzle({ client: db.shard(1).pool })
    const [dan] = await orm
      .insert(users)
      .values({ name: 'Dan', score: 9007199254740993n, settings: { theme: 'dark' } })
      .returning()
    expect(dan).toMatchObject({ name: 'Dan', balance: 100, score: 9007199254740993n, settings: { theme: 'dark' } })
    expect(dan?.createdAt).toBeInstanceOf(Date)
    await orm.insert(users).values([{ name: 'Andrew' }, { name: 'Ann' }])
    await orm
      .insert(users)
      .values({ id: dan?.id, name: 'Dan' })
      .onConflictDoUpdate({ target: users.id, set: { name: 'Mr. Dan' } })
    const updated = await orm.update(users).set({ balance: 5 }).where(eq(users.name, 'Ann')).returning({ id: users.id })
    expect(updated).toHaveLength(1)
    expect(await orm.select({ name: users.name }).from(users).orderBy(desc(users.name)).limit(2)).toEqual([
      { name: 'Mr. Dan' },
      { name: 'Ann' },
    ])
    expect(await orm.$count(users)).toBe(3)
    expect((await orm.delete(users).where(eq(users.name, 'Ann'))).rowCount).toBe(1)
    const { rows } = await orm.execute(sql`select ${users.name} from ${users} where ${users.id} = ${dan?.id}`)
    expect(rows).toEqual([{ name: 'Mr. Dan' }])
  })

  it('reads relations, also by a prepared query', async () => {
    const orm = drizzleFor(db.shard(2), { schema })
    const [dan] = await orm.insert(users).values({ name: 'Dan' }).returning()
    const [ann] = await orm.insert(users).values({ name: 'Ann', invitedBy: dan!.id }).returning()
    await orm.insert(posts).values([
      { content: 'one', authorId: dan!.id },
      { content: 'two', authorId: dan!.id },
      { content: 'three', authorId: ann!.id },
    ])
    const found = await orm.query.users.findMany({
      columns: { name: true },
      with: { posts: { columns: { content: true }, orderBy: (post, { asc }) => [asc(post.id)] }, inviter: true },
      orderBy: (user, { asc }) => [asc(user.id)],
    })
    expect(found).toMatchObject([
      { name: 'Dan', posts: [{ content: 'one' }, { content: 'two' }], inviter: null },
      { name: 'Ann', posts: [{ content: 'three' }], inviter: { name: 'Dan' } },
    ])
    const first = await orm.query.posts.findFirst({ where: eq(posts.content, 'two'), with: { author: true } })
    expect(first?.author?.name).toBe('Dan')
    const prepared = orm.query.users.findFirst({ where: eq(users.name, sql.placeholder('name')) }).prepare('by_name')
    expect((await prepared.execute({ name: 'Ann' }))?.id).toBe(ann?.id)
    const elsewhere = drizzleFor(db.shard(3), { schema }).query.users
    const same = elsewhere.findFirst({ where: eq(users.name, sql.placeholder('name')) }).prepare('by_name')
    expect(await same.execute({ name: 'Ann' })).toBeUndefined()
    expect((await prepared.execute({ name: 'Ann' }))?.id).toBe(ann?.id)
  })

  it('commits a transaction, rolls one back, and nests', async () => {
    const orm = drizzleFor(db.shard(3), { schema })
    await orm.insert(users).values([{ name: 'Dan' }, { name: 'Andrew' }])
    const balance = await orm.transaction(async (tx) => {
      await tx
        .update(users)
        .set({ balance: sql`${users.balance} - 10` })
        .where(eq(users.name, 'Dan'))
      await tx
        .update(users)
        .set({ balance: sql`${users.balance} + 10` })
        .where(eq(users.name, 'Andrew'))
      await tx.transaction((inner) => inner.update(users).set({ name: 'Mr. Dan' }).where(eq(users.name, 'Dan')))
      const failing = tx.transaction(async (inner) => {
        await inner.delete(users)
        inner.rollback()
      })
      await expect(failing).rejects.toThrow('Rollback')
      const [andrew] = await tx.select().from(users).where(eq(users.name, 'Andrew'))
      return andrew?.balance
    })
    expect(balance).toBe(110)
    const rolledBack = orm.transaction(async (tx) => {
      await tx.delete(users)
      tx.rollback()
    })
    await expect(rolledBack).rejects.toThrow('Rollback')
    await orm.transaction(
      async (tx) => {
        const { rows } = await tx.execute(sql`show transaction_isolation`)
        expect(rows).toEqual([{ transaction_isolation: 'serializable' }])
        expect((await tx.query.users.findMany({ with: { posts: true } })).map(({ name }) => name)).toContain('Mr. Dan')
      },
      { isolationLevel: 'serializable', accessMode: 'read only', deferrable: true },
    )
    await orm.transaction(async (tx) => {
      await tx.setTransaction({ isolationLevel: 'repeatable read' })
      expect(await tx.$count(users)).toBe(2)
    })
    expect(await totals(3)).toEqual({ users: 2, sum: 200 })
  })

  it('keeps each of many transactions at once on one connection', async () => {
    const orm = drizzleFor(db.shard(4))
    await orm.insert(users).values(Array.from({ length: 4 }, (_, n) => ({ id: 100 + n, name: `user ${n}` })))
    const attempts = Array.from({ length: 60 }, (_, n) =>
      orm.transaction(async (tx) => {
        await tx
          .update(users)
          .set({ balance: sql`${users.balance} - 1` })
          .where(eq(users.id, 100 + (n % 2)))
        await tx
          .update(users)
          .set({ balance: sql`${users.balance} + 1` })
          .where(eq(users.id, 102 + (n % 2)))
        if (n % 3 === 0) tx.rollback()
      }),
    )
    const ends = await Promise.allSettled(attempts)
    expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(20)
    expect(await totals(4)).toEqual({ users: 4, sum: 400 })
    const balances = await orm.select({ balance: users.balance }).from(users).orderBy(users.id)
    expect(balances.map(({ balance }) => balance)).toEqual([80, 80, 120, 120])
    expect(db.stats().map(({ lent, created }) => [lent, created <= 4])).toEqual([
      [0, true],
      [0, true],
    ])
  })

  it('migrates, with its own table in the schema of the shard', async () => {
    const migrationsFolder = makeTemporaryFolder('drizzle')
    await mkdir(join(migrationsFolder, 'meta'))
    const entries = [{ idx: 0, version: '7', when: 1, tag: '0000_toys', breakpoints: true }]
    await writeFile(join(migrationsFolder, 'meta', '_journal.json'), JSON.stringify({ entries }))
    const steps = ['create table toys (id serial primary key)', 'create index toys_id on toys (id)']
    await writeFile(join(migrationsFolder, '0000_toys.sql'), steps.join(';\n--> statement-breakpoint\n'))
    for (const shardId of [1, 2, 5, 1]) {
      const shard = db.shard(shardId)
      await migrate(drizzleFor(shard), { migrationsFolder, migrationsSchema: shard.schema })
      expect((await shard.query('select count(*)::int as n from toys')).rows).toEqual([{ n: 0 }])
    }
  })

  it('leaves no connection lent when a transaction cannot begin', async () => {
    const orm = drizzleFor(db.shard(5))
    await db.shard(5).query('alter schema shard0005 rename to away')
    try {
      const failure: unknown = await orm.transaction((tx) => tx.select().from(users)).catch((error: unknown) => error)
      expect(isHypervaultError((failure as Error).cause, 'HV_SHARD_MISSING')).toBe(true)
      expect(db.stats().map(({ lent }) => lent)).toEqual([0, 0])
    } finally {
      await db.cursor(5, (client) => client.query('alter schema away rename to shard0005'))
    }
  })
})

describe('Drizzle inside a transaction of Hypervault', () => {
  it('is part of it, beside entities', async () => {
    let key: Key | undefined
    const work = db.transaction(6, async (tx) => {
      key = await tx.put(1, {})
      const orm = drizzleFor(tx, { schema })
      await orm.insert(users).values({ name: 'Dan' })
      expect(await orm.query.users.findMany({ with: { posts: true } })).toHaveLength(1)
      const nested: unknown = await orm.transaction(() => Promise.resolve()).catch((error: unknown) => error)
      expect(isHypervaultError((nested as Error).cause, 'HV_STATEMENT_REFUSED')).toBe(true)
      throw new Error('no')
    })
    await expect(work).rejects.toThrow('no')
    expect(await totals(6)).toEqual({ users: 0, sum: null })
    expect(await db.exists(key as Key)).toBe(false)
  })
})
