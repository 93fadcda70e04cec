import { describe, expect, it } from 'vitest'
import type { HypervaultError } from '../../../src/errors.ts'
import { withClient } from '../servers.ts'
import { appliedIn, makeMigrations } from './migration-folder.ts'

const notes = 'create table notes (id bigint primary key default next_id(), text text not null);'

function failedOf(error: unknown): HypervaultError<'HV_MIGRATION_FAILED'>['details'] {
  return (error as HypervaultError<'HV_MIGRATION_FAILED'>).details
}

describe('migrate up', () => {
  it('runs each file once in every shard, in which names without a schema and next_id() are its own', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-4', '4-6')
    await made.write({ '0002_fill.sql': `insert into notes (text) select 'in ' || current_schema() -- the end` })
    const { migrations } = await made.db.migrations.up()
    expect(migrations).toEqual([
      { id: '0001', name: 'notes', shardIds: [1, 2, 3, 4, 5] },
      { id: '0002', name: 'fill', shardIds: [1, 2, 3, 4, 5] },
    ])
    for (const shardId of [1, 4, 5]) {
      const [note] = await made.rows<{ text: string; shard: string }>(
        shardId,
        'select text, (id >> 10) & 8191 as shard from $shard.notes',
      )
      expect(note).toEqual({ text: `in shard000${shardId}`, shard: String(shardId) })
    }
    expect(await appliedIn(made)).toEqual(Array(5).fill('0001 0002'))
    const [row] = await made.rows(2, `select name, checksum, applied_at from $shard.hv_migrations where id = '0001'`)
    expect(row).toMatchObject({ name: 'notes', checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
    expect(row?.applied_at).toBeInstanceOf(Date)
    expect(await made.db.migrations.up()).toEqual({ migrations: [], held: [] })
  })

  it('leaves a shard in which a file fails as it was, does all others, and goes on with that one', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-40', '40-80')
    await made.rows(50, 'create table $shard.tags ()')
    await made.write({ '0002_tags.sql': 'alter table notes add column tag text; create table tags (id bigint)' })
    const error = await made.db.migrations.up().catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'HV_MIGRATION_FAILED',
      message: 's2, shard 50, 0002_tags: relation "tags" already exists; 0 shards are left',
    })
    const { failures, completed, left } = failedOf(error)
    expect(failures).toEqual([
      {
        serverId: 's2',
        shardId: 50,
        migration: '0002_tags',
        code: 'HV_STATEMENT_FAILED',
        sqlstate: '42P07',
        message: 'relation "tags" already exists',
      },
    ])
    expect([completed.length, completed.includes(50), left]).toEqual([78, false, []])
    expect(await appliedIn(made, [49, 50, 51])).toEqual(['0001 0002', '0001', '0001 0002'])
    expect(
      await made.rows(
        50,
        `select from information_schema.columns where table_schema = '$shard' and column_name = 'tag'`,
      ),
    ).toEqual([])
    await made.rows(50, 'drop table $shard.tags')
    const { migrations } = await made.db.migrations.up({ shardIds: [50] })
    expect(migrations).toEqual([{ id: '0002', name: 'tags', shardIds: [50] }])
  })

  it('tells no value of a row in a failure', async () => {
    await using made = await makeMigrations({ '0001_a.sql': `select 'hunter2'::int` }, '1-2')
    const error = await made.db.migrations.up().catch((reason: unknown) => reason)
    expect(failedOf(error).failures).toMatchObject([
      { sqlstate: '22P02', message: 'a value is invalid (SQLSTATE 22P02)' },
    ])
    expect(String(error)).not.toContain('hunter2')
  })

  it('touches no other shard when the canary fails', async () => {
    await using made = await makeMigrations({ '0001_bad.sql': 'select nothing_of_that_name' }, '1-4', '4-6')
    const error = await made.db.migrations.up({ canary: [5] }).catch((reason: unknown) => reason)
    expect(failedOf(error)).toMatchObject({
      failures: [{ shardId: 5 }],
      left: [1, 2, 3, 4],
      stopped: 'the canary failed, so no other shard was touched',
    })
  })

  it('stops by itself when too many shards fail', async () => {
    await using made = await makeMigrations({ '0001_bad.sql': 'select nothing_of_that_name' }, '1-9')
    const options = { canary: [], waves: [1], connectionsPerServer: 1, maxFailures: 2 }
    const error = await made.db.migrations.up(options).catch((reason: unknown) => reason)
    expect(failedOf(error)).toMatchObject({ left: [4, 5, 6, 7, 8], stopped: '3 shards failed, more than 2' })
  })

  it('refuses what does not fit what has run, names it, and runs nothing', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes, '0003_x.sql': 'select 3' }, '1-3')
    await made.db.migrations.up()
    await made.write({ '0001_notes.sql': `${notes} -- more`, '0002_late.sql': 'select 2', '0003_x.sql': undefined })
    await made.write({ '0004_new.sql': 'select 4' })
    const problems = [
      { problem: '0003_x has run, but its file is missing', shardIds: [1, 2] },
      { problem: '0001_notes has run, but its file was changed since then', shardIds: [1, 2] },
    ]
    const refusal = { code: 'HV_MIGRATION_REFUSED', details: { problems } }
    await expect(made.db.migrations.up()).rejects.toMatchObject(refusal)
    await expect(made.db.migrations.plan()).rejects.toMatchObject(refusal)
    await made.write({ '0001_notes.sql': notes, '0003_x.sql': 'select 3' })
    await expect(made.db.migrations.up()).rejects.toMatchObject({
      message: 'nothing was run: 2 shards (1-2): 0002_late has not run, but 0003_x, which comes after it, has run',
    })
    await made.write({ '0002_late.sql': undefined })
    await made.rows(2, `insert into $shard.hv_migrations (id, name, checksum) values ('hv0099', 'future', '')`)
    await expect(made.db.migrations.up()).rejects.toMatchObject({
      message: 'nothing was run: shard 2: hv0099_future belongs to a newer release than this one',
    })
    expect(await appliedIn(made)).toEqual(['0001 0003', '0001 0003'])
  })

  it('holds back a breaking file and what comes after it, until it is allowed', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1', '0003_c.sql': 'select 3' }, '1-3')
    await made.write({ '0002_b.sql': '-- hypervault: breaking\nselect 2' })
    const held = [
      { id: '0002', name: 'b' },
      { id: '0003', name: 'c' },
    ]
    expect((await made.db.migrations.plan()).held).toEqual(held)
    expect(await made.db.migrations.up()).toMatchObject({ migrations: [{ id: '0001' }], held })
    expect(await made.db.migrations.up({ breaking: true, to: '0002' })).toMatchObject({ migrations: [{ id: '0002' }] })
    expect(await made.db.migrations.up()).toMatchObject({ migrations: [{ id: '0003' }], held: [] })
  })

  it('runs a file that is alone when every shard has had what comes before it', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'create table a ()', '0003_c.sql': 'select 3' }, '1-6')
    // Fails in any shard if another one lacks the table.
    const all = [1, 2, 3, 4, 5].map((shardId) => `'shard000${shardId}.a'::regclass`).join(', ')
    await made.write({ '0002_b.sql': `-- hypervault: alone\nselect ${all}` })
    expect((await made.db.migrations.plan()).stages.map(({ migrations }) => migrations.map(({ id }) => id))).toEqual([
      ['0001'],
      ['0002'],
      ['0003'],
    ])
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(Array(5).fill('0001 0002 0003'))
  })

  it('tells how far it is', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1', '0002_b.sql': 'select 2' }, '1-30')
    const events: string[] = []
    await made.db.migrations.up({
      onProgress: ({ isCanary, wave, waves, done, total, failed }) =>
        events.push(`${isCanary ? 'canary' : 'wave'} ${wave}/${waves} ${done}/${total} ${failed}`),
    })
    expect(events[0]).toBe('canary 1/4 0/58 0')
    expect(events).toContain('canary 1/4 2/58 0')
    expect(events.at(-1)).toBe('wave 4/4 58/58 0')
  })

  it('finishes the shards at hand when it is aborted, and the next run goes on', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1', '0002_b.sql': 'select 2' }, '1-30')
    const abort = new AbortController()
    const stop = made.db.migrations.up({
      signal: abort.signal,
      onProgress: ({ done }) => (done > 3 ? abort.abort(new Error('enough')) : undefined),
    })
    await expect(stop).rejects.toThrow('enough')
    const halfway = await appliedIn(made)
    expect(halfway).toContain('')
    expect(halfway).toContain('0001 0002')
    await made.db.migrations.up()
    expect(await appliedIn(made)).toEqual(Array(29).fill('0001 0002'))
    await expect(made.db.migrations.up({ signal: abort.signal })).rejects.toThrow('enough')
  })

  it('takes over shards of the original that were never adopted', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-3')
    await made.rows(2, 'drop table $shard.hv_migrations; alter table $shard.entities drop column updated')
    expect((await made.db.migrations.plan()).shards[1]?.migrations).toEqual(['hv0001_shard', '0001_notes'])
    await made.db.migrations.up()
    expect(await made.rows(2, 'select updated from $shard.entities')).toEqual([])
    expect(await appliedIn(made)).toEqual(['0001', '0001'])
  })

  it('tells of shards that are not there, and does the others', async () => {
    await using made = await makeMigrations({ '0001_notes.sql': notes }, '1-4')
    await made.rows(2, 'drop schema $shard cascade')
    const error = await made.db.migrations.up().catch((reason: unknown) => reason)
    expect(failedOf(error)).toMatchObject({
      failures: [{ shardId: 2, code: 'HV_SHARD_MISSING' }],
      completed: [1, 3],
      left: [],
    })
    expect(await made.rows(1, `select from pg_tables where schemaname = 'public' and tablename = 'notes'`)).toEqual([])
  })

  it.each([
    [{ connections: 0 }, RangeError],
    [{ lockTimeoutMs: '1' }, TypeError],
    [{ waves: [0.5] }, RangeError],
    [{ waves: [0.5, 0.1, 1] }, RangeError],
    [{ shardIds: [9999] }, RangeError],
    [{ canary: 1 }, TypeError],
    [{ to: '0009' }, RangeError],
    [{ to: 9 }, TypeError],
    [{ breaking: 'yes' }, TypeError],
    [{ unknown: 1 }, TypeError],
    [{ migrations: 1 }, TypeError],
  ])('does not take %j', async (options, error) => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1' }, '1-2')
    await expect(made.db.migrations.up(options as never)).rejects.toThrow(error)
    await expect(made.db.migrations.up({ canary: [7] })).rejects.toMatchObject({ code: 'HV_SHARD_UNKNOWN' })
    expect(await appliedIn(made)).toEqual([''])
  })
})

describe('the gate for deploys', () => {
  it('is closed as long as one shard lacks the migration, and tells which', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1', '0002_b.sql': 'select 2' }, '1-3', '3-5')
    await made.db.migrations.up({ to: '0001' })
    await made.db.migrations.up({ shardIds: [1, 2, 3] })
    await expect(made.db.migrations.assertAt('0002')).rejects.toMatchObject({
      code: 'HV_MIGRATION_BEHIND',
      message: 'migration 0002 has not run everywhere: 1 of 4 shards lack it',
      details: { behind: [{ serverId: 's2', shardIds: [4] }], unreachable: [] },
    })
    await made.db.migrations.assertAt('0001')
    await made.db.migrations.assertAt('0001_a')
    await made.db.migrations.up()
    await made.db.migrations.assertAt('0002')
    await expect(made.db.migrations.assertAt(2 as never)).rejects.toThrow(TypeError)
  })

  it('is seen in the status', async () => {
    await using made = await makeMigrations({ '0001_a.sql': 'select 1', '0002_b.sql': 'select 2' }, '1-3', '3-4')
    await made.db.migrations.up({ to: '0001' })
    await made.db.migrations.up({ shardIds: [1] })
    const { migrations, servers } = await made.db.migrations.status()
    expect(migrations).toMatchObject([
      { id: 'hv0001', shards: 3 },
      { id: '0001', shards: 3 },
      { id: '0002', shards: 1, isBreaking: false },
    ])
    expect(servers).toEqual([
      {
        serverId: 's1',
        problem: undefined,
        shards: [
          { shardId: 1, version: '0002_b', pending: [], problems: [] },
          { shardId: 2, version: '0001_a', pending: ['0002_b'], problems: [] },
        ],
      },
      {
        serverId: 's2',
        problem: undefined,
        shards: [{ shardId: 3, version: '0001_a', pending: ['0002_b'], problems: [] }],
      },
    ])
  })

  it('needs migrations to be given where files are needed', async () => {
    await using made = await makeMigrations({}, '1-2')
    await withClient(made.connections[0], (client) => client.query('select 1'))
    await expect(made.db.migrations.up({ migrations: '/nowhere' })).rejects.toMatchObject({
      code: 'HV_MIGRATION_INVALID',
    })
  })
})
