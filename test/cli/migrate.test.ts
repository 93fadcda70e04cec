import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { rowsOf, withClient } from '../schema/servers.ts'
import { until } from '../support/until.ts'
import { spawnCli } from './run-cli.ts'
import { makeTestFolder, parseDocument, type TestFolder } from './test-folder.ts'

const notes = 'create table notes (id bigint primary key default next_id(), text text not null);'
const index = '-- hypervault: no-transaction\ncreate index concurrently notes_text on notes (text);'
const column = 'alter table entities add column flag integer;'

/** Two servers with the shards 1 … 3 and 10 … 11, and a folder of migrations. */
async function makeMigrations(files: Readonly<Record<string, string>>): Promise<TestFolder> {
  const folder = await makeTestFolder('1-4', '10-12')
  await mkdir(join(folder.path, 'db'))
  await folder.run('init')
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder.path, 'db', name), content)
  return folder
}

describe('hypervault migrate', () => {
  test('plans what runs where, runs it, and shows how all shards stand', async () => {
    await using folder = await makeMigrations({ '0001_notes.sql': notes, '0002_index.sql': index })
    const plan = await folder.run('migrate', 'plan', '--dir', 'db')
    expect(plan).toMatchObject({ exitCode: 0, stderr: '' })
    expect(plan.stdout.split('\n')).toEqual([
      '0001_notes, 0002_index',
      '  canary: 1 shard: s1 1',
      '  wave 2: 2 shards: s1 2; s2 10',
      '  wave 3: 2 shards: s1 3; s2 11',
      '',
    ])
    const up = await folder.run('migrate', 'up', '--dir', 'db')
    expect(up).toMatchObject({ exitCode: 0, stdout: 'migration   shards\n0001_notes       5\n0002_index       5\n' })
    expect(up.stderr).toContain('migrate up: 10 of 10 migrations')
    await writeFile(join(folder.path, 'db', '0003_column.sql'), column)
    await folder.run('migrate', 'up', '--dir', 'db', '--shards', '10-12', '--no-canary')
    const status = await folder.run('migrate', 'status', '--dir', 'db')
    expect(status.stdout.split('\n').map((line) => line.trimEnd())).toEqual([
      'migration     shards  s1  s2',
      'hv0001_shard     5/5   3   2',
      '0001_notes       5/5   3   2',
      '0002_index       5/5   3   2',
      '0003_column      2/5   0   2',
      '',
      's1',
      '     0  aaa',
      '',
      's2',
      '     0           ██',
      '',
      '█ 0003_column   a 0002_index',
      '',
    ])
    expect(parseDocument(await folder.run('migrate', 'status', '--dir', 'db', '--json'))).toMatchObject({
      servers: [{ shards: [{ shardId: 1, version: '0002_index', pending: ['0003_column'] }, {}, {}] }, {}],
    })
  })

  test('tells by its exit code whether a migration has run in every shard', async () => {
    await using folder = await makeMigrations({ '0001_notes.sql': notes })
    await folder.run('migrate', 'up', '--dir', 'db', '--shards', '1-4')
    const behind = await folder.run('migrate', 'status', '--require', '0001')
    expect(behind).toMatchObject({ exitCode: 1, stdout: '' })
    expect(behind.stderr).toContain('s2: it has not run in 10-11\n')
    await folder.run('migrate', 'up', '--dir', 'db')
    expect((await folder.run('migrate', 'status', '--require', '0001')).exitCode).toBe(0)
    expect(parseDocument(await folder.run('migrate', 'status', '--require', '0002', '--json'))).toEqual({
      required: '0002',
      ok: false,
      behind: [
        { serverId: 's1', shardIds: [1, 2, 3] },
        { serverId: 's2', shardIds: [10, 11] },
      ],
      unreachable: [],
    })
  })

  test('leaves a shard in which a file fails, ends with 4, and says what to type', async () => {
    await using folder = await makeMigrations({ '0001_notes.sql': notes })
    await withClient(folder.connections[0], (client) => client.query('create table shard0002.notes ()'))
    const { exitCode, stderr } = await folder.run('migrate', 'up', '--dir', 'db', '--canary', '1')
    expect(exitCode).toBe(4)
    expect(stderr).toContain('s1, shard 2, 0001_notes: relation "notes" already exists')
    expect(stderr).toContain('4 shards are done, 1 failed\n')
    const next = /Fix the causes, then run: (.*)\n/.exec(stderr)?.[1]
    expect(next).toBe('npx pg-hypervault migrate up --dir db --shards 2')
    const json = parseDocument(await folder.run('migrate', 'up', '--dir', 'db', '--no-canary', '--json'))
    expect(json).toMatchObject({
      failures: [{ shardId: 2, sqlstate: '42P07' }],
      completed: [1, 3, 10, 11],
      left: [],
      next,
    })
    await withClient(folder.connections[0], (client) => client.query('drop table shard0002.notes'))
    expect((await folder.run(...(next ?? '').split(' ').slice(2))).exitCode).toBe(0)
    expect((await folder.run('migrate', 'status', '--require', '0001')).exitCode).toBe(0)
  })

  test('ends with 1 when the canary fails, and has touched nothing else', async () => {
    await using folder = await makeMigrations({ '0001_bad.sql': 'select nothing' })
    const { exitCode, stderr } = await folder.run('migrate', 'up', '--dir', 'db')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the run stopped: the canary failed, so no other shard was touched')
    expect(stderr).toContain('0 shards are done, 1 failed, 4 are left')
    expect(stderr).toContain('then run: npx pg-hypervault migrate up --dir db\n')
  })

  test('finishes the shard at hand at Ctrl-C, and the same command goes on', async () => {
    await using folder = await makeMigrations({ '0001_notes.sql': notes, '0002_column.sql': column })
    await withClient(folder.connections[0], async (client) => {
      await client.query('begin; lock table shard0002.entities in access share mode')
      const child = spawnCli(['migrate', 'up', '--dir', 'db', '--lock-timeout', '60000'], { cwd: folder.path })
      const said = text(child.stderr)
      await until('it waits', async () => {
        const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
        return (await rowsOf(folder.connections[0], waiting)).length > 0
      })
      child.kill('SIGINT')
      await client.query('rollback')
      const [exitCode] = (await once(child, 'close')) as [number]
      expect(exitCode).toBe(1)
      expect(await said).toContain(
        'Migrations that have run are kept. To continue, run: npx pg-hypervault migrate up --dir db\n',
      )
    })
    const ran = await rowsOf<{ id: string }>(
      folder.connections[0],
      'select id from shard0002.hv_migrations order by id',
    )
    expect(ran.map(({ id }) => id)).toEqual(['0001', '0002', 'hv0001'])
    expect((await folder.run('migrate', 'status', '--require', '0002')).exitCode).toBe(1)
    expect((await folder.run('migrate', 'up', '--dir', 'db')).exitCode).toBe(0)
    expect((await folder.run('migrate', 'status', '--require', '0002')).exitCode).toBe(0)
  })

  test('that is killed again and again runs each file once, and leaves no index that is not valid', async () => {
    const fill = `insert into notes (text) values ('once')`
    await using folder = await makeMigrations({
      '0001_notes.sql': notes,
      '0002_fill.sql': fill,
      '0003_index.sql': index,
    })
    for (const pauses of [1, 2, 3]) {
      const child = spawnCli(['migrate', 'up', '--dir', 'db'], { cwd: folder.path })
      const before = await countRan(folder)
      await until('it has come further, or is at its end', async () => {
        return child.exitCode !== null || (await countRan(folder)) >= before + pauses
      })
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    }
    expect((await folder.run('migrate', 'up', '--dir', 'db')).exitCode).toBe(0)
    expect(await countRan(folder)).toBe(15)
    for (const config of folder.connections) {
      expect(await rowsOf(config, 'select from pg_index where not indisvalid')).toEqual([])
    }
    expect(await rowsOf(folder.connections[1], 'select text from shard0011.notes')).toEqual([{ text: 'once' }])
  })

  test('takes the folder from the configuration, seen from where that lies; init begins new shards with it', async () => {
    await using folder = await makeTestFolder('1-3')
    const config = join(folder.path, 'hypervault.config.json')
    const { connections } = JSON.parse(await readFile(config, 'utf8')) as { connections: unknown[] }
    await writeFile(config, JSON.stringify({ connections, migrations: './db' }))
    expect((await folder.run('migrate', 'new', 'notes')).stdout).toBe('db/0001_notes.sql\n')
    await writeFile(join(folder.path, 'db', '0001_notes.sql'), notes)
    expect((await folder.run('migrate', 'new', 'by_text', '--no-transaction')).stdout).toBe('db/0002_by_text.sql\n')
    expect(await readFile(join(folder.path, 'db', '0002_by_text.sql'), 'utf8')).toMatch(
      /^-- hypervault: no-transaction\n/,
    )
    await writeFile(join(folder.path, 'db', '0002_by_text.sql'), index)
    expect((await folder.run('migrate', 'new', 'more', '--ts')).stdout).toBe('db/0003_more.ts\n')
    const init = await folder.run('init')
    expect(init).toMatchObject({ exitCode: 0 })
    expect((await folder.run('migrate', 'status', '--require', '0003')).exitCode).toBe(0)
    expect((await folder.run('migrate', 'up')).stderr).toContain('No migrations were left to run.')
    expect((await folder.run('migrate', 'plan')).stderr).toContain('No migrations are left to run.')
  })

  test('holds back what is breaking, and says how to run it', async () => {
    await using folder = await makeMigrations({
      '0001_notes.sql': notes,
      '0002_b.sql': '-- hypervault: breaking\nselect 2',
    })
    const { stdout, stderr } = await folder.run('migrate', 'up', '--dir', 'db')
    expect(stdout).toMatch(/^migration +shards\n0001_notes +5\n$/)
    expect(stderr).toContain(
      '0002_b is breaking and held back. When no code needs the objects that it removes, add --breaking',
    )
    expect((await folder.run('migrate', 'up', '--dir', 'db', '--breaking')).stdout).toContain('0002_b')
  })

  test('compares what the shards are made of, tells the difference, and rebuilds indexes', async () => {
    await using folder = await makeMigrations({ '0001_notes.sql': notes, '0002_index.sql': index })
    await folder.run('migrate', 'up', '--dir', 'db')
    const clean = await folder.run('migrate', 'verify')
    expect(clean).toMatchObject({ exitCode: 0, stdout: '' })
    expect(clean.stderr).toContain('All 5 shards have the same definition.\n')
    expect(clean.stderr).toContain('Not compared: rows,')
    await withClient(folder.connections[0], async (client) => {
      await client.query(`update pg_index set indisvalid = false where indexrelid = 'shard0002.notes_text'::regclass`)
    })
    const broken = await folder.run('migrate', 'verify')
    expect(broken.exitCode).toBe(1)
    expect(broken.stderr).toContain('s1, shard 2: index notes_text is invalid\n')
    const next = /To rebuild the indexes, run: npx pg-hypervault (.*)\n/.exec(broken.stderr)?.[1]
    const fixed = await folder.run(...(next ?? '').split(' '))
    expect(fixed).toMatchObject({ exitCode: 0, stdout: '' })
    expect(fixed.stderr).toContain('s1, shard 2: index notes_text was rebuilt\n')
    await withClient(folder.connections[1], async (client) => {
      await client.query(`alter table shard0011.notes alter column text set default 'none'`)
      await client.query('drop schema shard0010 cascade')
    })
    const drifted = await folder.run('migrate', 'verify')
    expect(drifted.exitCode).toBe(1)
    expect(drifted.stdout.split('\n').map((line) => line.trimEnd())).toEqual([
      'group  shards  which',
      '    1       3  1-3    reference for the others',
      '    2       1  11',
      '',
      'group 2',
      '  - column notes.text text not null',
      "  + column notes.text text not null default 'none'::text",
      '',
    ])
    expect(drifted.stderr).toContain('shard 10 is missing')
    expect(drifted.stderr).toContain('Run: npx pg-hypervault init')
    const chosen = parseDocument(await folder.run('migrate', 'verify', '--reference', '11', '--json'))
    expect(chosen).toMatchObject({
      groups: [
        { shardIds: [11], isReference: true },
        { shardIds: [1, 2, 3], extra: ['column notes.text text not null'] },
      ],
      absent: [10],
      isClean: false,
    })
  })

  test.each([
    [['verify', '--reference', 'x'], '--reference must be an integer, got "x"'],
    [['up'], 'no migrations are configured'],
    [['plan', '--dir', 'db', '--to', '0009'], 'there is no migration "0009"'],
    [['up', '--dir', 'db', '--shards', 'x'], "--shards must look like '1-9'"],
    [['up', '--dir', 'db', '--canary', '9999'], '--canary must be an integer from 0 to 8191, got 9999'],
    [['up', '--dir', 'db', '--max-failures', 'x'], '--max-failures must be a whole number from 0, got "x"'],
    [['up', '--dir', 'db', '--lock-timeout', '0'], 'lockTimeoutMs must be an integer from 1'],
    [['new', 'a b', '--dir', 'db'], 'the name must be letters, digits, _ and -'],
    [['new', '--dir', 'db'], "missing required argument 'name'"],
  ])('%j is a wrong call: 2', async (args, what) => {
    await using folder = await makeMigrations({ '0001_notes.sql': notes })
    const { stdout, stderr, exitCode } = await folder.run('migrate', ...args)
    expect(stderr).toContain(what)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })
})

/** Migrations that are done, each in each shard, and those that were begun. */
async function countRan({ connections }: TestFolder): Promise<number> {
  const shards = [
    ['shard0001', 'shard0002', 'shard0003'],
    ['shard0010', 'shard0011'],
  ]
  const counts = await Promise.all(
    connections.map(async (config, server) => {
      const sql = (shards[server] ?? [])
        .map((shard) => `select id from ${shard}.hv_migrations where id like '0%' and took_ms is not null`)
        .join(' union all ')
      return (await rowsOf(config, sql)).length
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}
