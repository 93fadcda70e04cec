import { describe, expect, it } from 'vitest'
import type { HypervaultError } from '../../../src/errors.ts'
import { appliedIn, invalidIndexes, makeMigrations, type MigrationFolder } from './migration-folder.ts'

const notes = 'create table notes (id bigint primary key default next_id(), text text);'
const index = '-- hypervault: no-transaction\ncreate unique index concurrently notes_text on notes (text);'
const files = { '0001_notes.sql': notes, '0002_index.sql': index }

function failuresOf(error: unknown): HypervaultError<'HV_MIGRATION_FAILED'>['details']['failures'] {
  return (error as HypervaultError<'HV_MIGRATION_FAILED'>).details.failures
}

async function indexesOf({ rows }: MigrationFolder, shardId: number): Promise<string[]> {
  const found = await rows<{ name: string }>(
    shardId,
    `select relname as name from pg_class where relnamespace = '$shard'::regnamespace and relkind = 'i' order by 1`,
  )
  return found.map(({ name }) => name).filter((name) => name.startsWith('notes_') && name !== 'notes_pkey')
}

/** What a program leaves behind that died while the statement of 0002 was under way in shard 2. */
async function leaveUnderWay({ rows, db }: MigrationFolder, step = 0): Promise<void> {
  await db.migrations.up({ shardIds: [1] })
  await rows(
    2,
    `insert into $shard.hv_migrations (id, name, checksum, step, under_way)
     select id, name, checksum, ${step}, true from shard0001.hv_migrations where id = '0002'`,
  )
}

/** An index that is not valid, as one that failed leaves it. */
async function leaveInvalid({ rows }: MigrationFolder): Promise<void> {
  await rows(2, `insert into $shard.notes (text) values ('same'), ('same')`)
  await rows(2, 'create unique index concurrently notes_text on $shard.notes (text)').catch(() => undefined)
  await rows(2, 'delete from $shard.notes')
}

describe('a migration without a transaction', () => {
  it('makes an index beside writers, and is written down when it is done', async () => {
    await using made = await makeMigrations(files, '1-3', '3-5')
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(Array(4).fill('0001 0002'))
    expect(await indexesOf(made, 3)).toEqual(['notes_text'])
  })

  it('that fails leaves no index behind that is not valid, can be corrected, and goes on', async () => {
    await using made = await makeMigrations(files, '1-4')
    await made.db.migrations.up({ to: '0001' })
    await made.rows(2, `insert into $shard.notes (text) values ('same'), ('same')`)
    const error = await made.db.migrations.up({ canary: [1] }).catch((reason: unknown) => reason)
    expect(failuresOf(error)).toMatchObject([{ shardId: 2, migration: '0002_index', sqlstate: '23505' }])
    expect(await invalidIndexes(made)).toEqual([])
    expect(await appliedIn(made)).toEqual(['0001 0002', '0001', '0001 0002'])
    await made.rows(2, 'delete from $shard.notes')
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(Array(3).fill('0001 0002'))
  })

  it.each<[string, (made: MigrationFolder) => Promise<unknown>]>([
    ['before it began', () => Promise.resolve()],
    ['when the index was not valid', leaveInvalid],
    ['when the index was there', ({ rows }) => rows(2, 'create unique index notes_text on $shard.notes (text)')],
  ])('whose program died %s is brought to its end', async (_, leave) => {
    await using made = await makeMigrations(files, '1-3')
    await made.db.migrations.up({ to: '0001' })
    await leaveUnderWay(made)
    await leave(made)
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(['0001 0002', '0001 0002'])
    expect(await invalidIndexes(made)).toEqual([])
    expect(await indexesOf(made, 2)).toEqual(['notes_text'])
  })

  it('leaves an index alone that was there before', async () => {
    await using made = await makeMigrations(files, '1-3')
    await made.db.migrations.up({ to: '0001' })
    await made.rows(1, 'create index notes_text on $shard.notes (text) where id < 0')
    await leaveInvalid(made)
    const error = await made.db.migrations.up({ canary: [] }).catch((reason: unknown) => reason)
    expect(
      failuresOf(error)
        .map(({ message }) => message)
        .sort(),
    ).toEqual(['an index notes_text already exists', 'an invalid index notes_text already exists: drop it'])
    expect(await indexesOf(made, 1)).toEqual(['notes_text'])
    expect(await appliedIn(made)).toEqual(['0001', '0001'])
  })

  it('does each of its statements once, whatever it was that died in between', async () => {
    const steps = [
      '-- hypervault: no-transaction',
      'alter table notes add column tag text;',
      'create index concurrently if not exists notes_tag on notes (tag);',
      'update notes set text = text || text;',
      'vacuum notes; reindex index concurrently notes_tag;',
      'drop index concurrently notes_tag',
    ]
    await using made = await makeMigrations({ '0001_notes.sql': notes, '0002_steps.sql': steps.join('\n') }, '1-3')
    await made.db.migrations.up({ to: '0001' })
    await made.rows(2, `insert into $shard.notes (text) values ('ab')`)
    await made.db.migrations.up({ shardIds: [1] })
    for (const [step, before] of [
      [1, 'alter table $shard.notes add column tag text'],
      [4, 'create index notes_tag on $shard.notes (tag)'],
      [5, 'select 1'],
    ] as const) {
      await made.rows(2, before)
      await made.rows(2, `delete from $shard.hv_migrations where id = '0002'`)
      await leaveUnderWay(made, step)
      await made.db.migrations.up()
      expect(await appliedIn(made, [2])).toEqual(['0001 0002'])
      expect(await indexesOf(made, 2)).toEqual([])
    }
    expect(await made.rows(2, 'select text from $shard.notes')).toEqual([{ text: 'abab' }])
  })

  it('takes away what reindex left behind', async () => {
    const reindex = '-- hypervault: no-transaction\nreindex index concurrently notes_text'
    await using made = await makeMigrations({ '0001_notes.sql': notes, '0002_reindex.sql': reindex }, '1-3')
    await made.db.migrations.up({ to: '0001' })
    for (const shardId of [1, 2]) await made.rows(shardId, 'create index notes_text on $shard.notes (text)')
    await leaveUnderWay(made)
    await made.rows(2, `insert into $shard.notes (text) values ('same'), ('same')`)
    await made
      .rows(2, 'create unique index concurrently notes_text_ccnew on $shard.notes (text)')
      .catch(() => undefined)
    expect(await invalidIndexes(made)).toEqual(['shard0002.notes_text_ccnew'])
    await made.db.migrations.up()
    expect(await invalidIndexes(made)).toEqual([])
    expect(await indexesOf(made, 2)).toEqual(['notes_text'])
  })

  it('leaves nothing in its session: names mean what they meant before', async () => {
    await using made = await makeMigrations(files, '1-3')
    await made.write({ '0003_again.sql': 'create table again as select current_schema()::text as name' })
    await made.db.migrations.up({ connectionsPerServer: 1 })
    expect(await made.rows(2, 'select name from $shard.again')).toEqual([{ name: 'shard0002' }])
    const locks = await made.rows(
      1,
      `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    )
    expect(locks).toEqual([])
  })
})
