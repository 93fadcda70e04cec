import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { rowsOf, withClient } from '../schema/servers.ts'
import { until } from '../support/until.ts'
import { spawnCli } from './run-cli.ts'
import { makeTestFolder, parseDocument, type TestFolder } from './test-folder.ts'

/** Holds a transaction open that has written into shard 2, and calls `work` once `index create` waits for it. */
async function whileWaiting(
  folder: TestFolder,
  work: (child: ReturnType<typeof spawnCli>) => Promise<void>,
): Promise<void> {
  await withClient(folder.connections[0], async (client) => {
    await client.query(`begin; insert into shard0002.entities (type, body) values (1, '')`)
    const child = spawnCli(['index', 'create', 'email'], { cwd: folder.path })
    await until('the index waits', async () => (await countBuilds(folder)) > 0)
    await work(child)
    await client.query('rollback')
  })
}

async function countBuilds({ connections }: TestFolder): Promise<number> {
  const rows = await rowsOf(
    connections[0],
    `select from pg_stat_activity where query like 'create index concurrently%' and state = 'active'
       and datname = current_database()`,
  )
  return rows.length
}

describe('hypervault index', () => {
  test('creates, lists and drops an index in all shards, and tells progress', async () => {
    await using folder = await makeTestFolder('1-4', '10-12')
    await folder.run('init')
    expect((await folder.run('index', 'list')).stderr).toContain('There are no indexes')
    const created = await folder.run('index', 'create', 'email', '--kind', '-1', '--unique')
    expect(created.exitCode).toBe(0)
    expect(created.stdout).toMatch(
      /^server {2}index +created {2}repaired {2}unchanged\ns1 +(hv_index_email_\w+) +3 +0 +0\ns2 +\1 +2 +0 +0\n$/,
    )
    expect(created.stderr).toContain('index create: 5 of 5 shards')
    const listed = await folder.run('index', 'list')
    expect(listed.stdout).toMatch(
      /^index .*\nhv_index_email_\w+ +5\/5 +40\.0 kB +yes +btree \(\(\(body -> 'email'::text\)\)\) WHERE \(type = '?-1'?.*\)\n$/,
    )
    const again = parseDocument<{ name: string }>(
      await folder.run('index', 'create', 'email', '--kind', '-1', '--unique', '--json'),
    )
    expect(again).toMatchObject({ servers: [{ unchanged: [1, 2, 3] }, { unchanged: [10, 11] }] })
    const dropped = await folder.run('index', 'drop', again.name, '--yes')
    expect(dropped.stdout).toMatch(/^server {2}index +dropped {2}unchanged\ns1 +\S+ +3 +0\ns2 +\S+ +2 +0\n$/)
    expect(parseDocument(await folder.run('index', 'list', '--json'))).toEqual({ indexes: [] })
  })

  test('that fails in some shards ends with 4, tells which and why, and does the others', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    await withClient(folder.connections[0], (client) =>
      client.query(`insert into shard0002.entities (type, body) values (1, 'age=>hunter2')`),
    )
    const { stdout, stderr, exitCode } = await folder.run('index', 'create', 'age', '--cast', 'integer')
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 4 })
    expect(stderr).toMatch(/hv_index_age_\w+: s1, shard 2: a value cannot be read as the type of the cast/)
    expect(stderr).toContain('2 shards are done (1, 3).')
    const json = await folder.run('index', 'create', 'age', '--cast', 'integer', '--json')
    expect(parseDocument(json)).toMatchObject({
      failures: [{ serverId: 's1', shardId: 2, code: 'HV_STATEMENT_FAILED', sqlstate: '22P02' }],
      completed: [1, 3],
    })
    expect((await folder.run('index', 'list')).stdout).toMatch(/^hv_index_age_\w+: missing in shards 2$/m)
    expect(JSON.stringify([stderr, json])).not.toContain('hunter2')
  })

  test('that fails in all shards ends with 1', async () => {
    await using folder = await makeTestFolder('1-3')
    const { stderr, exitCode } = await folder.run('index', 'create', '--body')
    expect(stderr).toMatch(/s1, 2 shards \(1-2\): shard N on server s1 does not exist/)
    expect(exitCode).toBe(1)
  })

  test('that is stopped by Ctrl-C leaves nothing running, and goes on the next time', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    await whileWaiting(folder, async (child) => {
      const said = text(child.stderr)
      child.kill('SIGINT')
      const [exitCode] = (await once(child, 'close')) as [number]
      expect(await said).toContain('stopped before the end')
      expect(exitCode).toBe(1)
      expect(await countBuilds(folder)).toBe(0)
    })
    expect(await folder.run('index', 'create', 'email')).toMatchObject({ exitCode: 0 })
    expect((await folder.run('index', 'list')).stdout).toMatch(/^hv_index_email_\w+ +3\/3 /m)
  })

  test('that is killed in the middle is done the next time', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    await whileWaiting(folder, async (child) => {
      child.kill('SIGKILL')
      await once(child, 'close')
    })
    expect(await folder.run('index', 'create', 'email')).toMatchObject({ exitCode: 0 })
    expect((await folder.run('index', 'list')).stdout).toMatch(/^hv_index_email_\w+ +3\/3 /m)
  })

  test.each([
    [['create'], 'give either a field or --body'],
    [['create', 'email', '--body'], 'give either a field or --body'],
    [['create', '--body', '--unique'], 'unique is for an index on a key'],
    [['create', 'email', '--kind', 'x'], '--kind must be an integer, got "x"'],
    [['create', 'email', '--kind', '40000'], 'kind must be an integer from -32768 to 32767'],
    [['create', 'born', '--cast', 'timestamptz'], 'cast must be one of smallint'],
    [['drop'], "missing required argument 'name'"],
  ])('%j is a wrong call: 2', async (args, what) => {
    await using folder = await makeTestFolder()
    const { stdout, stderr, exitCode } = await folder.run('index', ...args)
    expect(stderr).toContain(what)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })
})
