import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Datastore, provision } from '../../src/index.ts'
import { entriesOf, rowsOf, withClient } from '../schema/servers.ts'
import { until } from '../support/until.ts'
import { makeFolder, runCli, spawnCli, type CliResult } from './run-cli.ts'
import { runInProcess } from './run-in-process.ts'
import { makeTestFolder, parseDocument, type TestFolder } from './test-folder.ts'

const shardIds = [1, 2, 3, 4, 10, 11, 12, 13]

/** Shards 1 to 4 and 10 to 13 on two servers. */
async function makeImportFolder(files: Readonly<Record<string, string | Buffer>>): Promise<TestFolder> {
  const folder = await makeTestFolder('1-5', '10-14')
  await provision(entriesOf(folder, '1-5', '10-14'))
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(folder.path, name), content)))
  return folder
}

/** What all shards hold: kind and body of each entity, as text in order. */
async function storedRows({ connections }: TestFolder): Promise<string[]> {
  const rows = await Promise.all(
    shardIds.map((shardId) =>
      rowsOf<{ row: string }>(
        connections[shardId < 5 ? 0 : 1],
        `select type || ' ' || body::text as row from ${tableOf(shardId)}`,
      ),
    ),
  )
  return rows
    .flat()
    .map(({ row }) => row)
    .sort()
}

const tableOf = (shardId: number): string => `shard${String(shardId).padStart(4, '0')}.entities`

/** Rows in as many groups as there are rows, over all shards. */
const rowsTo = (count: number): { n: string; group: string }[] =>
  Array.from({ length: count }, (_, n) => ({ n: String(n), group: `group ${n % 97}` }))

const linesOf = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

const expected = (rows: readonly { n: string; group: string }[], kind = 1): string[] =>
  rows.map(({ n, group }) => `${kind} "n"=>"${n}", "group"=>"${group}"`).sort()

const importRows = ['--kind', '1', '--shard-by', 'group']

const readRejects = async (folder: TestFolder, name: string): Promise<object[]> =>
  (await readFile(join(folder.path, name), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as object)

async function makeUnique(folder: TestFolder, field: string): Promise<void> {
  await using db = new Datastore({ connections: entriesOf(folder, '1-5', '10-14') })
  await db.createIndex({ on: { field }, unique: true })
}

const leftOver = async ({ path }: TestFolder): Promise<string[]> =>
  (await readdir(path)).filter((name) => name.includes('hv-import'))

describe('hypervault import', { timeout: 120_000 }, () => {
  const rows = rowsTo(2_000)
  const csv = `n,group\n${rows.map(({ n, group }) => `${n},"${group}"\n`).join('')}`

  test.each([
    ['rows.ndjson', linesOf(rows)],
    ['rows.json', JSON.stringify(rows, undefined, 2)],
    ['rows.csv.gz', gzipSync(csv)],
  ])('stores the rows of %s in the shards of their field', async (name, content) => {
    await using folder = await makeImportFolder({ [name]: content })
    const { stdout, stderr, exitCode } = await folder.run('import', name, ...importRows)
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: '2,000 rows stored\n', stderr: '', exitCode: 0 })
    expect(await storedRows(folder)).toEqual(expected(rows))
    expect(await leftOver(folder)).toEqual([])
  })

  test('reads standard input, stores in one shard, and tells it in JSON', async () => {
    await using folder = await makeImportFolder({})
    const flags = ['--kind', '-5', '--shard', '11', '--format', 'csv', '--json']
    const result = await runCli(['import', '-', ...flags], { cwd: folder.path, input: csv })
    expect(parseDocument(result)).toEqual({ rows: 2_000, rejected: 0, rejects: null, resumed: false })
    const stored = await rowsOf(folder.connections[1], `select from ${tableOf(11)} where type = -5`)
    expect(stored).toHaveLength(2_000)
  })

  test('puts what is no row, or is refused by a server, into a file with line and reason, and ends with 4', async () => {
    const bad =
      '{"n":"1","group":["secret"]}\n\n{"n":"2"}\n{"n":"3","group":"a"\n{"n":7,"group":"a"}\n{"n":"7","group":"a"}\n'
    await using folder = await makeImportFolder({ 'rows.ndjson': bad, 'rows.ndjson.rejects.ndjson': 'old' })
    await makeUnique(folder, 'n')
    const { stdout, stderr, exitCode } = await folder.run('import', 'rows.ndjson', ...importRows)
    expect({ stdout, exitCode }).toEqual({ stdout: '1 rows stored\n', exitCode: 4 })
    expect(stderr).toContain('4 records were rejected\n')
    expect(stderr).toContain('rows.ndjson.rejects.ndjson')
    expect(stderr).not.toContain('secret')
    expect(await readRejects(folder, 'rows.ndjson.rejects.ndjson')).toEqual([
      { line: 1, record: 1, reason: '"group" holds an array, but a body can hold only text', text: bad.split('\n')[0] },
      { line: 3, record: 2, reason: 'it has no "group", which determines its shard', text: '{"n":"2"}' },
      { line: 4, record: 3, reason: 'it is not JSON, from character 21 on', text: '{"n":"3","group":"a"' },
      {
        line: 6,
        record: 5,
        reason: expect.stringMatching(/^the server refused it: duplicate key .* \(SQLSTATE 23505\)$/) as string,
        text: '{"n":"7","group":"a"}',
      },
    ])
    expect(await storedRows(folder)).toEqual(['1 "n"=>"7", "group"=>"a"'])
    const none = await folder.run('import', 'rows.ndjson', '--shard', '1', '--json')
    expect(none.exitCode).toBe(1)
    expect(parseDocument(none)).toMatchObject({ rows: 0, rejected: 5, rejects: 'rows.ndjson.rejects.ndjson' })
  })

  test('that is malformed stores what is before the fault, and goes on when that is corrected', async () => {
    const fine = `n,group\n${rows.map(({ n, group }) => `${n},${group}\n`).join('')}`
    const faulty = fine.replace('1500,', '1500,"')
    await using folder = await makeImportFolder({ 'rows.csv': faulty })
    const failed = await folder.run('import', 'rows.csv', ...importRows)
    expect(failed.exitCode).toBe(1)
    expect(failed.stderr).toContain('rows.csv, line 1502: a quote is never closed')
    expect(await storedRows(folder)).toEqual(expected(rows.slice(0, 1_500)))
    await writeFile(join(folder.path, 'rows.csv'), fine)
    expect(await folder.run('import', 'rows.csv', ...importRows)).toMatchObject({ exitCode: 0 })
    expect(await storedRows(folder)).toEqual(expected(rows))
  })

  test.each([
    [['import', 'rows.csv'], 'give one of --shard-by, --shard'],
    [['import', 'rows.csv', '--shard', '1', '--shard-by', 'a'], 'give one of --shard-by, --shard'],
    [['import', 'none.csv', '--shard', '1'], 'none.csv cannot be read: it does not exist'],
    [['import', '.', '--shard', '1'], ' cannot be read: it is a folder'],
    [['import', 'rows.txt', '--shard', '1'], 'the format of'],
    [['import', 'rows.csv', '--shard', '9000'], '--shard must be'],
    [['import', 'rows.csv', '--shard', '1', '--kind', '70000'], 'kind must be'],
    [['import', 'rows.csv', '--shard', '1', '--format', 'xml'], "argument 'xml' is invalid"],
    [['import', 'rows.csv', '--shard', '1', '--delimiter', '::'], '--delimiter must be one character'],
    [['import', 'rows.csv', '--shard', '1', '--columns', 'a,,b'], '--columns must be different names'],
    [['import', 'rows.csv', '--shard', '1', '--rejects', './rows.csv'], 'must be different files'],
  ])('%j is a wrong call: 2', async (args, what) => {
    await using folder = await makeFolder({ 'rows.csv': 'a\n1\n', 'rows.txt': 'a\n1\n' })
    const full = args.map((arg) => (/^\.|\w\.\w/.test(arg) ? join(folder.path, arg) : arg))
    const { stdout, stderr, exitCode } = await runInProcess(full, { cwd: folder.path })
    expect(stderr).toContain(what)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })
})

describe('hypervault import that is cut off', { timeout: 180_000 }, () => {
  const rows = rowsTo(30_000)

  /** Three records that are none, early, in the middle and late. */
  const bad = [10, 15_000, 29_000]
  const lines = rows.flatMap((row, index) => [...(bad.includes(index) ? ['{"group":5'] : []), JSON.stringify(row)])
  const file = `${lines.join('\n')}\n`

  async function expectAll(folder: TestFolder, result: CliResult): Promise<void> {
    expect(result.stderr).not.toContain('HV_')
    expect(parseDocument(result)).toMatchObject({ rows: 30_000, rejected: 3, resumed: true })
    expect(result.exitCode).toBe(4)
    expect(await storedRows(folder)).toEqual(expected(rows))
    const rejects = await readRejects(folder, 'rows.ndjson.rejects.ndjson')
    expect(rejects.map((reject) => (reject as { line: number }).line)).toEqual([11, 15_002, 29_003])
    expect(await leftOver(folder)).toEqual([])
  }

  const resume = (folder: TestFolder): Promise<CliResult> =>
    folder.run('import', 'rows.ndjson', ...importRows, '--json')

  /** Starts an import, and ends it by a signal once a statement on the second server is what it is to be. */
  async function cutOff(
    folder: TestFolder,
    signal: NodeJS.Signals,
    query: string,
  ): Promise<{ exitCode: number; said: string }> {
    const child = spawnCli(['import', 'rows.ndjson', ...importRows], { cwd: folder.path })
    const said = text(child.stderr)
    const active = `select from pg_stat_activity where datname = current_database() and state = 'active' and query ${query}`
    await until('it is at that', async () => (await rowsOf(folder.connections[1], active)).length > 0, 60_000)
    child.kill(signal)
    const [exitCode] = (await once(child, 'close')) as [number]
    return { exitCode, said: await said }
  }

  test.each(['SIGKILL', 'SIGINT'] as const)(
    'by %s while a batch waits goes on, with no row missing or double',
    async (signal) => {
      await using folder = await makeImportFolder({ 'rows.ndjson': file })
      await withClient(folder.connections[1], async (client) => {
        await client.query(`begin; lock table ${tableOf(12)} in exclusive mode`)
        const { exitCode, said } = await cutOff(folder, signal, "like 'copy %' and wait_event_type = 'Lock'")
        if (signal === 'SIGINT') expect(exitCode).toBe(1)
        if (signal === 'SIGINT') expect(said).toContain('stopped before the end')
        const other = await folder.run('import', 'rows.ndjson', '--kind', '2', '--shard-by', 'group')
        expect(other).toMatchObject({
          exitCode: 2,
          stderr: expect.stringContaining('--kind (HV_JOURNAL_MISMATCH)') as string,
        })
        await client.query('rollback')
      })
      await expectAll(folder, await resume(folder))
    },
  )

  test('by SIGKILL in a commit finds out that the server has done it', async () => {
    await using folder = await makeImportFolder({ 'rows.ndjson': file })
    const table = tableOf(12)
    await withClient(folder.connections[1], async (client) => {
      await client.query(`
        create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end';
        create constraint trigger slow after insert on ${table} deferrable initially deferred
          for each row when ((new.body -> 'n')::int % 2000 = 12) execute function slow()`)
      await cutOff(folder, 'SIGKILL', "= 'commit'")
      await expectAll(folder, await resume(folder))
    })
  })

  test('again and again goes on each time', async () => {
    await using folder = await makeImportFolder({ 'rows.ndjson': file })
    for (const shardId of [10, 11, 12, 13]) {
      await withClient(folder.connections[1], async (client) => {
        await client.query(`begin; lock table ${tableOf(shardId)} in exclusive mode`)
        await cutOff(folder, 'SIGKILL', "like 'copy %' and wait_event_type = 'Lock'")
        await client.query('rollback')
      })
    }
    await expectAll(folder, await resume(folder))
  })
})
