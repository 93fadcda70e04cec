import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { fromDrizzle } from '../../../src/schema/migrations/sources/drizzle.ts'
import { fromKysely } from '../../../src/schema/migrations/sources/kysely.ts'
import { makeTemporaryFolder } from '../../support/temporary-folder.ts'
import { appliedIn, makeMigrations } from './migration-folder.ts'

const fill = `import type { MigrationShard } from 'pg-hypervault'

export async function up(shard: MigrationShard): Promise<void> {
  const { rows } = await shard.query<{ n: number }>('select $1::int + 1 as n', [shard.shardId])
  await shard.query('create table filled (n int, path text)')
  await shard.query({ text: 'insert into filled values ($1, $2)', values: [rows[0]?.n, shard.schema + ' ' + shard.serverId] })
}
`

describe('a migration in TypeScript', () => {
  it('works in one shard after the other, in its transaction', async () => {
    await using made = await makeMigrations({ '0001_fill.ts': fill }, '1-3', '3-4')
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(['0001', '0001', '0001'])
    expect(await made.rows(2, 'select * from $shard.filled')).toEqual([{ n: 3, path: 'shard0002 s1' }])
    expect(await made.rows(3, 'select * from $shard.filled')).toEqual([{ n: 4, path: 'shard0003 s2' }])
  })

  it.each([
    ['throws', `await shard.query('create table t ()'); throw new Error('not today')`, 'not today'],
    [
      'fails',
      `await shard.query('create table t ()'); await shard.query('select nothing')`,
      'column "nothing" does not exist',
    ],
    [
      'goes on after a failure',
      `await shard.query('create table t ()'); await shard.query('select nothing').catch(() => {})`,
      'current transaction is aborted, commands ignored until end of transaction block',
    ],
    ...[
      'COMMIT',
      '-- done\ncommit',
      '/* a /* b */ */ end',
      'insert into t values (1); commit',
      'begin',
      'rollback',
    ].map((text) => [
      `is given ${JSON.stringify(text)}`,
      `await shard.query('create table t (n int)'); await shard.query(${JSON.stringify(text)})`,
      'a migration runs in its own transaction: it can neither begin nor end one',
    ]),
  ])('that %s leaves the shard as it was', async (_, body, message) => {
    await using made = await makeMigrations({ '0001_bad.js': `export async function up(shard) { ${body} }` }, '1-2')
    await expect(made.db.migrations.up()).rejects.toMatchObject({
      code: 'HV_MIGRATION_FAILED',
      details: { failures: [{ shardId: 1, migration: '0001_bad', message }] },
    })
    expect(await appliedIn(made)).toEqual([''])
    expect(await made.rows(1, `select to_regclass('$shard.t') as t`)).toEqual([{ t: null }])
  })

  it.each([
    ['is a generator', `export async function* up(shard) { await shard.query('create table t ()') }`],
    ['is a generator', `export function* up(shard) { yield shard.query('create table t ()') }`],
    ['returns a function', `export const up = (shard) => async () => { await shard.query('create table t ()') }`],
  ])('that %s has done nothing, and is not recorded as done: %s', async (what, text) => {
    await using made = await makeMigrations({ '0001_idle.js': text }, '1-2')
    const failure = { shardId: 1, migration: '0001_idle', message: expect.stringContaining(what) as string }
    await expect(made.db.migrations.up()).rejects.toMatchObject({
      code: 'HV_MIGRATION_FAILED',
      details: { failures: [failure] },
    })
    expect(await appliedIn(made)).toEqual([''])
  })

  it('may go without a transaction, and is run again when it did not come to its end', async () => {
    const repeatable = `// hypervault: no-transaction
export async function up(shard) {
  await shard.query('create table if not exists t (n int)')
  await shard.query('vacuum t')
  await shard.query('insert into t values (1)')
  const { rows } = await shard.query('select count(*)::int as n from t')
  if (rows[0].n < 2) throw new Error('the first time')
}
`
    await using made = await makeMigrations({ '0001_again.js': repeatable }, '1-2')
    await expect(made.db.migrations.up()).rejects.toMatchObject({ code: 'HV_MIGRATION_FAILED' })
    expect(await appliedIn(made)).toEqual([''])
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(['0001'])
  })

  it('that cannot be read ends the run before anything is changed', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1', '0002_bad.ts': 'export const x = 1' }, '1-2')
    await expect(made.db.migrations.up()).rejects.toMatchObject({ code: 'HV_MIGRATION_INVALID' })
    expect(await appliedIn(made)).toEqual([''])
  })
})

describe('the migrations of other tools', () => {
  it('of Kysely run as they are', async () => {
    const first = `import { sql, type Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('person')
    .addColumn('id', 'bigint', (column) => column.primaryKey().defaultTo(sql\`next_id()\`))
    .addColumn('name', 'text', (column) => column.notNull())
    .execute()
  await db.schema.createIndex('person_name').on('person').column('name').execute()
  await db.insertInto('person').values({ name: 'Ada' }).execute()
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('person').execute()
}
`
    const second = `import { sql, type Kysely } from 'kysely'
export async function up(db: Kysely<any>): Promise<void> {
  await sql\`update person set name = name || \${' Lovelace'}\`.execute(db)
}
`
    await using made = await makeMigrations({}, '1-3', '3-4')
    // Here the package kysely is found, as it is in the folder of an application.
    const folder = makeTemporaryFolder('kysely', fileURLToPath(new URL('.', import.meta.url)))
    await writeFile(join(folder, '2024_01_01_person.ts'), first)
    await writeFile(join(folder, '2024_02_01_name.ts'), second)
    await made.db.migrations.up({ migrations: fromKysely(folder) }).finally(() => rm(folder, { recursive: true }))
    expect(await appliedIn(made)).toEqual(Array(3).fill('2024_01_01_person 2024_02_01_name'))
    expect(await made.rows(3, 'select (id >> 10) & 8191 as shard, name from $shard.person')).toEqual([
      { shard: '3', name: 'Ada Lovelace' },
    ])
  })

  it('of Drizzle Kit run as they are', async () => {
    const tags = ['0000_fine_odin', '0001_careful_gorgon']
    const entries = tags.map((tag, idx) => ({ idx, version: '7', when: idx, tag, breakpoints: true }))
    const first = `CREATE TYPE "public"."mood" AS ENUM('happy', 'sad');--> statement-breakpoint
CREATE TABLE "posts" (
	"id" bigint PRIMARY KEY DEFAULT next_id() NOT NULL,
	"author_id" bigint,
	"mood" "mood"
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" bigint PRIMARY KEY DEFAULT next_id() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "posts" ADD CONSTRAINT "posts_author" FOREIGN KEY ("author_id") REFERENCES "public"."users"("id") ON DELETE no action;`
    const second = `ALTER TABLE "users" ADD COLUMN "name" text;--> statement-breakpoint
CREATE INDEX CONCURRENTLY "users_name" ON "users" USING btree ("name");`
    await using made = await makeMigrations({}, '1-3')
    await made.write({
      'meta/_journal.json': JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
      '0000_fine_odin.sql': first,
      '0001_careful_gorgon.sql': second,
    })
    await made.db.migrations.up({ migrations: fromDrizzle(made.folder) })
    expect(await appliedIn(made)).toEqual(Array(2).fill('0000 0001'))
    const [target] = await made.rows<{ name: string }>(
      2,
      `select confrelid::regclass::text as name from pg_constraint where conname = 'posts_author' and conrelid = '$shard.posts'::regclass`,
    )
    expect(target).toEqual({ name: 'shard0002.users' })
    expect(
      await made.rows(1, `select from pg_type where typname = 'mood' and typnamespace = 'public'::regnamespace`),
    ).toEqual([])
  })
})
