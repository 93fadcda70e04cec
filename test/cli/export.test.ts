import { once } from 'node:events'
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Datastore, Key, provision, type Entity } from '../../src/index.ts'
import { entriesOf, rowsOf, withClient } from '../schema/servers.ts'
import { until } from '../support/until.ts'
import { makeFolder, spawnCli } from './run-cli.ts'
import { runInProcess } from './run-in-process.ts'
import { makeTestFolder, parseDocument, type TestFolder } from './test-folder.ts'

const shardIds = [1, 2, 3, 4, 10, 11, 12, 13]
const ranges = ['1-5', '10-14'] as const
const startMs = Date.UTC(2024, 0, 1)

const open = (folder: TestFolder): Datastore => new Datastore({ connections: entriesOf(folder, ...ranges) })

/** Shards 1 to 4 and 10 to 13 on two servers. */
async function makeExportFolder(): Promise<TestFolder> {
  const folder = await makeTestFolder(...ranges)
  await provision(entriesOf(folder, ...ranges))
  return folder
}

/** The key of the n-th entity, a millisecond after the one before, and in the next shard. */
const keyOf = (n: number): Key =>
  Key.from({ created: new Date(startMs + n), shardId: shardIds[n % shardIds.length] as number, addedId: n % 1024 })

const odd = ['', 'null', 'a "quoted", text', 'two\r\nlines', 'ünï 🏔 \u2028', '\\', ' ', '=>', '{}'] as const

/** Entities whose bodies have whatever is hard to write down, some of which have been changed. */
async function store(folder: TestFolder, count: number, padding = 0): Promise<void> {
  await using db = open(folder)
  const bodies = Array.from({ length: count }, (_, n) => ({
    n: String(n),
    odd: odd[n % odd.length] as string,
    none: n % 2 === 0 ? null : 'x'.repeat(padding),
    [`key ${odd[n % 5]}`]: 'y',
    ...(n % 7 === 0 && { more: String(n) }),
  }))
  await db
    .load((_, n) => (n % 3) - 1, [{}, ...bodies.slice(1)], {
      shardOf: (_, n) => keyOf(n).shardId,
      keyOf: (_, n) => keyOf(n),
    })
    .finish()
  for (let n = 5; n < 40; n += 7) await db.update(keyOf(n), { set: { changed: 'yes' } })
}

async function storedEntities(folder: TestFolder): Promise<Entity[]> {
  await using db = open(folder)
  const entities: Entity[] = []
  for await (const entity of db.scan()) entities.push(entity)
  return entities
}

const linesIn = async (folder: TestFolder, name: string): Promise<{ key: string }[]> =>
  (await readFile(join(folder.path, name), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { key: string })

const keysTo = (count: number): string[] => Array.from({ length: count }, (_, n) => String(keyOf(n)))

describe('hypervault export', { timeout: 180_000 }, () => {
  test.each(['all.ndjson.gz', 'all.csv'])(
    'writes %s, which import makes the same entities of elsewhere',
    async (name) => {
      await using from = await makeExportFolder()
      await using to = await makeExportFolder()
      await store(from, 2_500)
      const file = join(from.path, name)
      expect(await from.run('export', name)).toEqual({ stdout: '2,500 entities written\n', stderr: '', exitCode: 0 })
      const imported = await to.run('import', file, '--keep-keys', '--json')
      expect(parseDocument(imported)).toEqual({ rows: 2_500, rejected: 0, rejects: null, resumed: false })
      const entities = await storedEntities(from)
      expect(await storedEntities(to)).toEqual(entities)
      expect(entities.filter(({ updated }) => updated !== null)).toHaveLength(5)
      expect((await readdir(from.path)).toSorted()).toEqual([name, 'hypervault.config.json'])
    },
  )

  test('into another store overwrites nothing: keys that are there, or have no place, are rejected', async () => {
    await using from = await makeExportFolder()
    await store(from, 100)
    await from.run('export', 'all.ndjson')
    const lines = await readFile(join(from.path, 'all.ndjson'), 'utf8')
    const away = Key.from({ created: new Date(startMs), shardId: 99, addedId: 1 })
    const lineOf = (key: Key, body: object): object => {
      return { key, shard: key.shardId, kind: 1, created: key.created, updated: null, body }
    }
    const others = [
      lineOf(away, {}),
      { ...lineOf(away, {}), key: '12x' },
      { n: '5' },
      lineOf(keyOf(7_000), { n: 'new' }),
    ]
    await writeFile(join(from.path, 'all.ndjson'), lines + others.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const before = await storedEntities(from)
    const { stdout, exitCode } = await from.run('import', 'all.ndjson', '--keep-keys')
    expect({ stdout, exitCode }).toEqual({ stdout: '1 rows stored\n', exitCode: 4 })
    const rejects = (await linesIn(from, 'all.ndjson.rejects.ndjson')) as unknown as { line: number; reason: string }[]
    const reasons = new Map(rejects.map(({ line, reason }) => [line, reason]))
    expect(rejects).toHaveLength(103)
    expect(new Set(Array.from({ length: 100 }, (_, at) => reasons.get(at + 1)))).toEqual(
      new Set(['its key is there already']),
    )
    expect(reasons.get(101)).toBe('its key is of shard 99, which no server has')
    expect(reasons.get(102)).toContain('"body" holds an object')
    expect(reasons.get(103)).toBe('it has no key: an export did not write it')
    const after = await storedEntities(from)
    expect(after.filter(({ body }) => body.n !== 'new')).toEqual(before)
    expect(after).toHaveLength(101)
  })

  test('writes some shards, kinds and times to standard output', async () => {
    await using folder = await makeExportFolder()
    await store(folder, 300)
    const times = ['--created-after', '2024-01-01T00:00:00.020Z', '--created-before', '2024-01-01T00:00:00.220Z']
    const { stdout, stderr, exitCode } = await folder.run('export', '--shards', '2-4,13', '--kind', '1,-1', ...times)
    const isMeant = (n: number): boolean => n >= 20 && n < 220 && [1, 2, 7].includes(n % 8)
    const numbers = Array.from({ length: 300 }, (_, n) => n).filter(isMeant)
    const meant = [...numbers.filter((n) => n % 3 === 2), ...numbers.filter((n) => n % 3 === 0)]
    const lines = stdout.trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(meant.map((n) => String(keyOf(n))))
    expect({ stderr, exitCode }).toEqual({ stderr: `${meant.length} entities written\n`, exitCode: 0 })
    const csv = await folder.run('export', '-', '--format', 'csv', '--columns', 'n, none', '--shards', '1')
    expect(csv.stdout.split('\n').slice(0, 3)).toEqual([
      'key,shard,kind,created,updated,n,none',
      `${keyOf(0)},1,-1,2024-01-01T00:00:00.000Z,,,`,
      `${keyOf(8)},1,1,2024-01-01T00:00:00.008Z,,8,`,
    ])
  })

  test('leaves out shards that cannot be read, and adds them when they can', async () => {
    await using folder = await makeExportFolder()
    await store(folder, 200)
    const rename = (from: string, to: string): Promise<unknown> =>
      withClient(folder.connections[0], (client) => client.query(`alter table shard0003.${from} rename to ${to}`))
    const run = (): ReturnType<TestFolder['run']> =>
      folder.run('export', 'all.ndjson', '--on-shard-error', 'skip', '--json')
    await rename('entities', 'away')
    const stopped = await folder.run('export', 'other.ndjson')
    expect({ stdout: stopped.stdout, exitCode: stopped.exitCode }).toEqual({ stdout: '', exitCode: 1 })
    expect(stopped.stderr).toContain('HV_EXPORT_STOPPED')
    expect(stopped.stderr).toContain('run the same export again')
    const first = await run()
    expect(parseDocument(first)).toMatchObject({
      entities: 175,
      resumed: false,
      missing: [{ shardId: 3, code: 'HV_SHARD_MISSING' }],
    })
    expect(first.exitCode).toBe(4)
    expect(first.stderr).toContain('The same command adds them')
    await rename('away', 'entities')
    expect(parseDocument(await run())).toEqual({ entities: 200, resumed: true, missing: [] })
    expect(await linesIn(folder, 'all.ndjson').then((lines) => lines.map(({ key }) => key).toSorted())).toEqual(
      keysTo(200).toSorted(),
    )
    const again = await folder.run('export', 'other.ndjson')
    expect(again.stdout).toBe('200 entities written, including those of earlier runs\n')
  })

  test.each([
    [['export', 'out.csv', '--shards', '9-1'], '--shards'],
    [['export', 'out.csv', '--shards', '9000'], '--shards must be'],
    [['export', 'out.csv', '--kind', '1,x'], '--kind must be an integer'],
    [['export', 'out.csv', '--created-after', '2024-01-01T10:00'], '--created-after must be a time'],
    [
      ['export', 'out.csv', '--created-after', '2024-02-01', '--created-before', '2024-01-01'],
      'createdBefore must not',
    ],
    [['export', 'out.ndjson', '--columns', 'a'], "columns is an option of the format 'csv' only"],
    [['export', 'out.csv', '--columns', 'a,a'], 'columns[1] is the same'],
    [['export', 'out.csv', '--columns', 'body'], "columns must not be 'body' alone"],
    [['export', 'out.csv', '--state', 'out.csv'], 'must be different files'],
    [['export', 'there.csv'], 'already exists, and no export to it is under way'],
    [['export', '--restart'], '--state and --restart require a file'],
    [['export', '--json'], '--json requires a file'],
  ])('%j is a wrong call: 2', async (args, what) => {
    await using folder = await makeFolder({ 'there.csv': 'mine' })
    const full = args.map((arg) => (/\.csv$|\.ndjson$/.test(arg) ? join(folder.path, arg) : arg))
    const { stdout, stderr, exitCode } = await runInProcess(full, { cwd: folder.path })
    expect(stderr).toContain(what)
    expect(exitCode).toBe(2)
    if (!args.includes('--json')) expect(stdout).toBe('')
    expect(await readFile(join(folder.path, 'there.csv'), 'utf8')).toBe('mine')
  })

  test('to a reader that leaves early ends quietly', async () => {
    await using folder = await makeExportFolder()
    await store(folder, 20_000, 100)
    const child = spawnCli(['export'], { cwd: folder.path })
    let said = ''
    child.stderr.on('data', (text: Buffer) => (said += text.toString()))
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await once(child, 'close')).toEqual([0, null])
    expect(said).toBe('')
  })
})

/** Makes a shard answer up to the n-th entity, and then wait until the gate is opened. */
async function closeAt(folder: TestFolder, n: number): Promise<void> {
  await withClient(folder.connections[1], async (client) => {
    await client.query(`
      alter table shard0012.entities rename to real;
      create table public.gate as select true as is_closed;
      create function public.pass() returns boolean language plpgsql volatile as
        'begin while (select is_closed from public.gate) loop perform pg_sleep(0.02); end loop; return true; end';
      create view shard0012.entities as
        select id, type, body, updated from shard0012.real where id <> ${keyOf(n)} or public.pass()`)
  })
}

async function openGate(folder: TestFolder): Promise<void> {
  await withClient(folder.connections[1], (client) =>
    client.query(`
      update public.gate set is_closed = false;
      drop view shard0012.entities;
      alter table shard0012.real rename to entities;
      drop function public.pass();
      drop table public.gate`),
  )
}

describe('hypervault export that is cut off', { timeout: 180_000 }, () => {
  const count = 12_000
  const args = ['export', 'all.ndjson', '--json']

  /** Starts an export that cannot get behind the n-th entity, and ends it there by a signal. */
  async function cutOff(folder: TestFolder, n: number, signal: NodeJS.Signals): Promise<number | null> {
    await closeAt(folder, n)
    const child = spawnCli(args, { cwd: folder.path })
    const closed = once(child, 'close')
    const waiting = "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    await until('it waits', async () => (await rowsOf(folder.connections[1], waiting)).length > 0, 60_000)
    child.kill(signal)
    const [exitCode] = (await closed) as [number | null]
    const ends =
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    await rowsOf(folder.connections[1], ends)
    await openGate(folder)
    return exitCode
  }

  const sizeOf = async (folder: TestFolder, name: string): Promise<number> => (await stat(join(folder.path, name))).size

  const journalOf = async (folder: TestFolder): Promise<{ bytes: number }> => {
    const lines = (await readFile(join(folder.path, 'all.ndjson.hv-export'), 'utf8')).trimEnd().split('\n')
    return (JSON.parse(lines.at(-1) ?? '') as { at: { bytes: number } }).at
  }

  test('by Ctrl-C and by SIGKILL goes on, with no entity missing or double', async () => {
    await using folder = await makeExportFolder()
    await store(folder, count, 400)
    const at = (share: number): number => Math.floor((count * share) / 8) * 8 + 6
    expect(await cutOff(folder, at(1 / 3), 'SIGINT')).toBe(1)
    const { bytes } = await journalOf(folder)
    expect(bytes).toBeGreaterThan(100_000)
    expect(await sizeOf(folder, 'all.ndjson')).toBe(bytes)
    await cutOff(folder, at(5 / 6), 'SIGKILL')
    // As if it had been killed in the middle of a line.
    await appendFile(join(folder.path, 'all.ndjson'), '{"key":"34')
    const other = await folder.run(...args, '--kind', '1')
    expect(other).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--kind (HV_JOURNAL_MISMATCH)') as string,
    })
    expect(parseDocument(await folder.run(...args))).toEqual({ entities: count, resumed: true, missing: [] })
    expect((await linesIn(folder, 'all.ndjson')).map(({ key }) => key)).toEqual(keysTo(count))
    expect((await readdir(folder.path)).toSorted()).toEqual(['all.ndjson', 'hypervault.config.json'])
  })
})
