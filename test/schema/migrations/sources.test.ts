import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Migration } from '../../../src/schema/migrations/migration.ts'
import { loadMigrations } from '../../../src/schema/migrations/load-migrations.ts'
import { fromDrizzle } from '../../../src/schema/migrations/sources/drizzle.ts'
import { fromFolder, nextId } from '../../../src/schema/migrations/sources/folder.ts'
import { fromKysely } from '../../../src/schema/migrations/sources/kysely.ts'
import { resolveSource } from '../../../src/schema/migrations/sources/resolve-source.ts'
import { makeTemporaryFolder } from '../../support/temporary-folder.ts'

async function makeFiles(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = makeTemporaryFolder('migrations')
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

async function loadFiles(files: Readonly<Record<string, string>>): Promise<readonly Migration[]> {
  return (await loadMigrations(fromFolder(await makeFiles(files)))).slice(1)
}

describe('a folder', () => {
  it('gives its files in the order of their numbers, with what their headers say', async () => {
    const migrations = await loadFiles({
      '0010_last.sql': 'select 10',
      '0002_index.sql': '\n-- hypervault: no-transaction, alone\ncreate index concurrently i on t (a); vacuum t;',
      '0001_first.sql': '-- what it does\n-- hypervault: breaking\nselect 1; select 2',
      '0003_code.ts': '// hypervault: no-transaction\nexport async function up() {}',
      'README.md': 'no migration',
      'types.d.ts': 'export {}',
    })
    expect(migrations).toMatchObject([
      { id: '0001', name: 'first', kind: 'sql', isBreaking: true, isAlone: false },
      { id: '0002', name: 'index', kind: 'steps', isAlone: true, steps: [{}, { text: 'vacuum t' }] },
      { id: '0003', name: 'code', kind: 'code', isTransactional: false },
      { id: '0010', name: 'last', kind: 'sql', isBreaking: false },
    ])
  })

  it('has the same checksums with the line ends of another system, and others for another content', async () => {
    const [unix, dos, other] = await loadFiles({
      '0001_a.sql': 'select 1;\nselect 2;\n',
      '0002_a.sql': '\ufeffselect 1;\r\nselect 2;\r\n',
      '0003_a.sql': 'select 1;\nselect 3;\n',
    })
    expect(dos?.checksum).toBe(unix?.checksum)
    expect(other?.checksum).not.toBe(unix?.checksum)
  })

  it.each([
    ['add_email.sql', 'select 1', 'name it like 0001_name.sql: add_email.sql'],
    ['0001_a.sql', ' -- nothing', 'there is no statement in it'],
    ['0001_a.sql', `select 'x`, "line 1: ' has no end"],
    ['0001_a.sql', '-- hypervault: no-transactions\nselect 1', 'the header says no-transactions; it may say'],
    [
      '0001_a.sql',
      'create index concurrently i on t (a)',
      'needs this as its first line: -- hypervault: no-transaction',
    ],
    ['0001_a.sql', '-- hypervault: no-transaction\ncreate index concurrently on t (a)', 'give the index a name'],
    ['0001_a.sql', 'begin; select 1; commit', 'begin has no place in it'],
    [
      '0001_a.sql',
      '-- hypervault: no-transaction\nstart transaction; select 1',
      'start transaction has no place in it',
    ],
    ['0001_a.sql', 'set statement_timeout = 0; select 1', 'would outlive the migration'],
    ['bad_name!.ts', 'export {}', 'name it like'],
  ])('with %s that says %j is refused', async (file, content, problem) => {
    await expect(loadFiles({ [file]: content })).rejects.toMatchObject({
      code: 'HV_MIGRATION_INVALID',
      details: { problem: expect.stringContaining(problem) as string },
    })
  })

  it('with two files of one number is refused, and one that is not there', async () => {
    await expect(loadFiles({ '0001_a.sql': 'select 1', '0001_b.sql': 'select 2' })).rejects.toMatchObject({
      details: { problem: 'two migrations have the number 0001: 0001_a, 0001_b' },
    })
    await expect(loadMigrations(fromFolder('/nowhere/at/all'))).rejects.toMatchObject({
      details: { origin: '/nowhere/at/all', problem: 'it does not exist' },
    })
  })

  it('tells the next number', async () => {
    expect(await nextId(await makeFiles({}))).toBe('0001')
    expect(await nextId(await makeFiles({ '0009_a.sql': '', '0010_b.ts': '', 'x.sql': '' }))).toBe('0011')
  })

  it('lets set local alone, but not together with other shards', async () => {
    const [bounded, plain] = await loadFiles({
      '0001_a.sql': "set local statement_timeout = '1s'; select 1",
      '0002_a.sql': 'set constraints all deferred; select 1',
    })
    expect(bounded).toMatchObject({ kind: 'sql', isShareable: false })
    expect(plain).toMatchObject({ kind: 'sql', isShareable: false })
  })
})

describe('Drizzle Kit', () => {
  const journal = {
    version: '7',
    dialect: 'postgresql',
    entries: [
      { idx: 1, version: '7', when: 2, tag: '0001_careful_gorgon', breakpoints: true },
      { idx: 0, version: '7', when: 1, tag: '0000_fine_odin', breakpoints: true },
    ],
  }
  const first = [
    `CREATE TYPE "public"."mood" AS ENUM('happy', '"public".x');--> statement-breakpoint`,
    'CREATE TABLE "posts" ("id" bigint PRIMARY KEY DEFAULT next_id() NOT NULL, "author_id" bigint);--> statement-breakpoint',
    'DO $$ BEGIN ALTER TABLE "posts" ADD CONSTRAINT "fk" FOREIGN KEY ("author_id") REFERENCES "public"."users"("id"); END $$;',
  ].join('\n')

  it('is read in the order of its journal, and "public" means the schema of the shard', async () => {
    const folder = await makeFiles({
      'meta/_journal.json': JSON.stringify(journal),
      '0000_fine_odin.sql': first,
      '0001_careful_gorgon.sql': 'CREATE INDEX CONCURRENTLY "i" ON "posts" USING btree ("author_id");',
      '0002_not_in_the_journal.sql': 'select 1',
    })
    const [odin, gorgon, ...others] = await fromDrizzle(folder).load()
    expect(others).toEqual([])
    expect(odin).toMatchObject({ id: '0000', name: 'fine_odin', kind: 'sql' })
    const text = odin?.kind === 'sql' ? odin.text : ''
    expect(text).toContain(`CREATE TYPE "mood" AS ENUM('happy', '"public".x')`)
    expect(text).toContain('REFERENCES "users"("id"); END $$')
    expect(gorgon).toMatchObject({ id: '0001', kind: 'steps' })
  })

  it('of version 1 is read by its folders', async () => {
    const folder = await makeFiles({
      '20261124220004_talented_man/migration.sql': 'select 2',
      '20251124220004_early_bird/migration.sql': 'select 1',
      '20251124220004_early_bird/snapshot.json': '{}',
    })
    expect(await fromDrizzle(folder).load()).toMatchObject([
      { id: '20251124220004', name: 'early_bird', kind: 'sql' },
      { id: '20261124220004', name: 'talented_man', kind: 'sql' },
    ])
  })

  it.each([
    [{ 'meta/_journal.json': '{}' }, 'no journal of Drizzle Kit'],
    [{ 'meta/_journal.json': JSON.stringify({ ...journal, dialect: 'mysql' }) }, 'it is for mysql'],
    [{ 'meta/_journal.json': JSON.stringify(journal) }, 'it does not exist'],
  ])('that lacks something is refused: %j', async (files, problem) => {
    await expect(fromDrizzle(await makeFiles(files)).load()).rejects.toMatchObject({
      code: 'HV_MIGRATION_INVALID',
      message: expect.stringContaining(problem) as string,
    })
  })
})

describe('Kysely', () => {
  it('is read in the order of its names', async () => {
    const folder = await makeFiles({
      '2024-02-01-second.ts': '// hypervault: breaking\nexport async function up() {}',
      '0001_first.mjs': 'export async function up() {}',
      'notes.txt': '',
    })
    expect(await fromKysely(folder).load()).toMatchObject([
      { id: '0001_first', name: '0001_first', kind: 'code', isTransactional: true },
      { id: '2024-02-01-second', name: '2024-02-01-second', isBreaking: true },
    ])
  })
})

describe('a program', () => {
  it.each([
    ['export const down = 1', 'it must export a function up'],
    ['export function up( {', ''],
  ])('that says %j is refused when it is needed', async (content, problem) => {
    const [migration] = await loadFiles({ '0001_a.ts': content })
    const loaded = migration?.kind === 'code' ? migration.load() : undefined
    await expect(loaded).rejects.toMatchObject({
      code: 'HV_MIGRATION_INVALID',
      details: { problem: expect.stringContaining(problem) as string },
    })
  })
})

describe('the option migrations', () => {
  it('is a folder, one of another tool, or a source', () => {
    expect(resolveSource(undefined)).toBeUndefined()
    expect(resolveSource('db', '/base')).toMatchObject({ origin: '/base/db', folder: '/base/db' })
    expect(resolveSource({ drizzle: 'db' }, '/base')).toMatchObject({ origin: '/base/db', folder: undefined })
    expect(resolveSource({ kysely: '/db' }, '/base')).toMatchObject({ origin: '/db' })
    const source = fromDrizzle('/db')
    expect(resolveSource(source)).toBe(source)
  })

  it.each([1, '', null, {}, { drizzle: 1 }, { prisma: 'x' }, { drizzle: 'a', kysely: 'b' }])('is not %j', (option) => {
    expect(() => resolveSource(option)).toThrow(/^migrations must be a folder/)
  })
})
