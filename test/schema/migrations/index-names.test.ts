import { afterAll, beforeAll, expect, it } from 'vitest'
import { appliedIn, invalidIndexes, makeMigrations, type MigrationFolder } from './migration-folder.ts'

const LONG = 'Ö'.repeat(40)

let made: MigrationFolder
let count = 0

beforeAll(async () => {
  made = await makeMigrations({}, '1-2')
  await made.rows(1, 'create table $shard.notes (n int)')
  await made.rows(1, 'insert into $shard.notes values (1), (1)')
})

afterAll(() => made[Symbol.asyncDispose]())

it.each([
  ['Ünique_email'],
  ['ÜNIQUE_Email'],
  ['"Ünique "" quoted"'],
  [LONG],
  [`"${LONG}"`],
  ['/* a comment */ Größe -- and another\n'],
])('an index %s that is there and not valid is found, and not recorded as done', async (name) => {
  const create = `create unique index concurrently if not exists ${name} on notes (n);`
  const plain = name.replace(/\/\*.*?\*\/|--.*\n/g, '').trim()
  await made.rows(1, `create unique index concurrently ${plain} on $shard.notes (n)`).catch(() => undefined)
  expect(await invalidIndexes(made)).toHaveLength(1)
  count += 1
  const file = `${String(count).padStart(4, '0')}_index.sql`
  await made.write({ [file]: `-- hypervault: no-transaction\n${create}` })
  await expect(made.db.migrations.up()).rejects.toMatchObject({
    details: { failures: [{ message: expect.stringContaining('an invalid index') as string }] },
  })
  expect(await appliedIn(made)).toEqual([''])
  await made.write({ [file]: undefined })
  await made.rows(1, `drop index $shard.${plain}`)
})

it('a name with escapes, which only the server can read, is refused before anything runs', async () => {
  const create = 'create unique index concurrently if not exists U&"d\\0061t" on notes (n);'
  await made.write({ '0099_index.sql': `-- hypervault: no-transaction\n${create}` })
  await expect(made.db.migrations.up()).rejects.toThrow(/U&/)
})
