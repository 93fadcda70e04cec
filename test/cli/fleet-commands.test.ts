import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { makeFolder, runCli, type CliResult } from './run-cli.ts'
import { parseDocument } from './test-folder.ts'

describe('a call of catalog, server and rebalance', () => {
  test.each([
    [['catalog', 'import', '--password', 's9=env:X'], '--password must name one of the servers s1, s2'],
    [['catalog', 'import', '--password', 's1=hunter2'], '--password must be env:NAME or file:/path'],
    [['catalog', 'history', '--limit', '0'], '--limit must be a whole number from 1'],
    [['server', 'add', 's3', '--port', 'x'], '--port must be a whole number from 1'],
    [['server', 'add', 's3', '--shards', '5'], "--shards must look like '1-9'"],
    [['rebalance'], 'needs --plan or --apply'],
    [['rebalance', '--plan', '--apply'], 'needs --plan or --apply'],
    [['rebalance', '--plan', '--by', 'colour'], '--by must be bytes, writes or count'],
    [['rebalance', '--plan', '--threshold', '200%'], '--threshold must be 0% to 100%'],
    [['server', 'set', 's1'], 'no setting was given'],
    [['server', 'add', 'no/name'], 'serverId must be 1 to 63 letters'],
  ])('%j is a wrong call: 2', async (args, what) => {
    await using own = await makeFolder({
      'hypervault.config.json': '{"connections":[{"shards":"1-4"},{"shards":"4-6"}]}',
    })
    const options = { cwd: own.path, env: { HYPERVAULT_CATALOG: 'postgres://nowhere/x' } }
    const { stdout, stderr, exitCode } = await runCli(args, options)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
    expect(stderr).toContain(what)
    expect(stderr).not.toContain('hunter2')
  })
})

/** A catalog and two servers; the configuration names connections, the variable the catalog. */
let databases: TestDatabases
let folder: Awaited<ReturnType<typeof makeFolder>>
let env: Record<string, string>

async function setUp(): Promise<void> {
  databases = await createDatabases(4)
  const [catalog, first, second] = databases.connections
  const connections = [
    { ...first, shards: '1-4' },
    { connectionString: urlOf(second), shards: '4-6' },
  ]
  folder = await makeFolder({
    'hypervault.config.json': JSON.stringify({ connections, secrets: { folders: [tmpdir()] } }),
  })
  env = {
    HYPERVAULT_CATALOG: urlOf(catalog),
    HYPERVAULT_PASSWORD_S1: first?.password ?? '',
    HYPERVAULT_PASSWORD_S2: second?.password ?? '',
  }
}

async function tearDown(): Promise<void> {
  await folder[Symbol.asyncDispose]()
  await databases.drop()
}

type TestConnection = TestDatabases['connections'][number]

function urlOf(connection: TestConnection | undefined): string {
  if (connection === undefined) throw new Error('no connection')
  const { user, password, host, port, database } = connection
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
}

const run = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: folder.path, env })

async function makeFleet(): Promise<void> {
  for (const args of [['catalog', 'init'], ['catalog', 'import'], ['init']]) {
    expect(await run(...args)).toMatchObject({ exitCode: 0 })
  }
}

function addServer(serverId: string, ...more: string[]): Promise<CliResult> {
  const { host, port, user, database } = databases.connections[3] as TestConnection
  const where = ['--host', host, '--port', String(port), '--user', user, '--database', database]
  return run('server', 'add', serverId, ...where, ...more)
}

describe('hypervault catalog', () => {
  beforeEach(setUp)
  afterEach(tearDown)

  test('is made once, takes over connections, and then serves every command', async () => {
    expect((await run('catalog', 'init')).stderr).toContain('The catalog was created.')
    expect(parseDocument(await run('catalog', 'init', '--json'))).toEqual({ layouts: 0 })
    const imported = await run('catalog', 'import')
    expect(imported.stdout).toMatch(/^s1 +3 +variable HYPERVAULT_PASSWORD_S1\ns2 +2 +variable HYPERVAULT_PASSWORD_S2$/m)
    expect(await run('init')).toMatchObject({ exitCode: 0 })
    const put = parseDocument<{ key: string; serverId: string }>(await run('put', '5', '1', 'beep=boop', '--json'))
    expect(put.serverId).toBe('s2')
    expect(parseDocument(await run('get', put.key, '--json'))).toMatchObject({ body: { beep: 'boop' } })
    expect((await run('key', put.key)).stdout).toMatch(/shard 5 .* s2$/m)
    expect((await run('status')).stdout).toMatch(/^s2 +up +\S+ +2\/2 +1 /m)
  })

  test('holds no password, and tells who changed what', async () => {
    await makeFleet()
    const listed = await run('server', 'list', '--json')
    expect(parseDocument(listed)).toMatchObject({
      servers: [
        {
          serverId: 's1',
          state: 'active',
          shardIds: [1, 2, 3],
          settings: { password: { env: 'HYPERVAULT_PASSWORD_S1' } },
        },
        { serverId: 's2', shardIds: [4, 5] },
      ],
    })
    expect(listed.stdout).not.toContain(env.HYPERVAULT_PASSWORD_S1)
    const { changes } = parseDocument<{ changes: object[] }>(await run('catalog', 'history', '--json'))
    expect(changes).toMatchObject([{ epoch: 2, action: 'add server' }])
    expect((await run('catalog', 'history')).stdout).toMatch(/^ +2 {2}\d{4}-.*add server +\{"servers":/m)
  })

  test('takes all servers or none, and says which shards live somewhere already', async () => {
    await makeFleet()
    const again = await run('catalog', 'import')
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('already has a server s1') as string })
    const other = JSON.stringify([{ ...databases.connections[3], shards: '3-8', id: 's9' }])
    const overlap = await run('catalog', 'import', '--connections', other)
    expect(overlap).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('shards 3, 4, 5 already live') as string,
    })
    expect((await run('server', 'list')).stdout).not.toContain('s9')
  })

  test('is asked for by commands that need one, and told to be made where it is missing', async () => {
    expect(await run('server', 'list')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('npx pg-hypervault catalog init') as string,
    })
    env = {}
    expect(await run('server', 'list')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('the configuration names none') as string,
    })
  })

  test('may stand in the configuration in the place of connections, and not beside them', async () => {
    await makeFleet()
    const file = join(folder.path, 'hypervault.config.json')
    const { HYPERVAULT_CATALOG: catalog, ...others } = env
    env = others
    await writeFile(file, JSON.stringify({ catalog, topologyPollMs: 1_000 }))
    expect((await run('server', 'list')).stdout).toMatch(/^s1 +active +3 {2}1-4 /m)
    await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), connections: [] }))
    expect(await run('status')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('connections or a catalog') as string,
    })
  })
})

describe('hypervault server', () => {
  beforeEach(setUp)
  afterEach(tearDown)

  test('joins after it has answered, is drained, activated, and removed when it is empty', async () => {
    await makeFleet()
    env.PG_S3 = databases.connections[3]?.password ?? ''
    const added = await addServer('s3', '--password', 'env:PG_S3')
    expect(added.stderr).toMatch(/^s3 is registered \(PostgreSQL \d+\.\d+\)\.$/m)
    expect((await run('server', 'drain', 's1')).stderr).toContain(
      'It still holds 3 shards: npx pg-hypervault rebalance --plan',
    )
    expect((await run('server', 'list')).stdout).toMatch(/^s1 +draining +3 {2}1-4 /m)
    expect((await run('server', 'activate', 's1')).exitCode).toBe(0)
    expect(await run('server', 'remove', 's1', '--yes')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('still has 3 shards') as string,
    })
    expect(parseDocument(await run('server', 'remove', 's3', '--yes', '--json'))).toEqual({ serverId: 's3' })
    expect(await run('server', 'drain', 's3')).toMatchObject({ exitCode: 1 })
  })

  test('that does not answer is not registered, unless told to', async () => {
    await makeFleet()
    env.PG_S3 = 'wrong'
    const refused = await addServer('s3', '--password', 'env:PG_S3')
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('password authentication') as string })
    expect((await run('server', 'list')).stdout).not.toContain('s3')
    expect(await addServer('s3', '--password', 'env:PG_S3', '--no-check')).toMatchObject({ exitCode: 0 })
  })

  test('may bring new shards, which init makes', async () => {
    await makeFleet()
    env.PG_S3 = databases.connections[3]?.password ?? ''
    expect(await addServer('s3', '--password', 'env:PG_S3', '--shards', '6-8')).toMatchObject({ exitCode: 0 })
    expect((await run('init')).stdout).toMatch(/^s3 +\S+ +2 +0 +0$/m)
    expect(await run('put', '7', '1', 'a=b')).toMatchObject({ exitCode: 0 })
  })
})

describe('a server that cannot be used here', () => {
  beforeEach(setUp)
  afterEach(tearDown)

  test('is told by status and doctor with the reason, and is put right by server set', async () => {
    await makeFleet()
    const { HYPERVAULT_PASSWORD_S2: password = '' } = env
    delete env.HYPERVAULT_PASSWORD_S2
    const reason = 'server s2 of the catalog cannot be used: the environment variable HYPERVAULT_PASSWORD_S2 is not set'
    const status = await run('status')
    expect(status.exitCode).toBe(1)
    expect(status.stdout).toMatch(/^s1 +up .*\ns2 +unusable$/m)
    expect(status.stdout).toContain(`${reason}. Provide it (the next connection uses it)`)
    expect(parseDocument(await run('status', '--json'))).toMatchObject({
      servers: [
        { serverId: 's1', problem: null },
        { serverId: 's2', reachable: false, problem: reason },
      ],
    })
    expect(await run('put', '1', '1', 'a=b')).toMatchObject({ exitCode: 0 })
    expect(await run('put', '5', '1', 'a=b')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('HV_SERVER_UNUSABLE') as string,
    })
    const doctor = await run('doctor')
    expect(doctor.stdout).toContain(`problem: ${reason}`)
    const file = join(folder.path, 'password')
    await writeFile(file, password)
    expect(await run('server', 'set', 's2', '--password', `file:${file}`)).toMatchObject({ exitCode: 0 })
    expect(await run('put', '5', '1', 'a=b')).toMatchObject({ exitCode: 0 })
  })

  test('by its row is shown by server list', async () => {
    await makeFleet()
    const client = new Client(databases.connections[0])
    await client.connect()
    await client.query(`update hypervault.servers set settings = '{"port":"x"}' where server_id = 's2'`)
    await client.end()
    expect((await run('server', 'list')).stdout).toMatch(/^s2 +active +2 +4-6 +unusable: its settings.port must be/m)
    expect((await run('status')).stdout).toMatch(/^s2 +unusable$/m)
  })
})

describe('hypervault doctor', () => {
  beforeEach(setUp)
  afterEach(tearDown)

  test('tells what is wrong and what to type, puts right what is safe, and says by its exit code whether all is well', async () => {
    await makeFleet()
    const well = await run('doctor')
    expect(well).toMatchObject({ exitCode: 0, stdout: '' })
    expect(well.stderr).toContain('2 servers, 5 shards: nothing is wrong.')
    const db = new Client(databases.connections[1])
    await db.connect()
    await db.query('alter sequence shard0002.table_id_seq cache 50')
    await db.end()
    const ill = await run('doctor')
    expect(ill.exitCode).toBe(1)
    expect(ill.stdout).toMatch(
      /^problem: the sequence of shard 2 .*\n {4}do: alter sequence shard0002.table_id_seq cache 1\n?$/,
    )
    expect(ill.stderr).toContain('1 problem, 0 notices.')
    const fixed = await run('doctor', '--fix')
    expect(fixed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^fixed: the sequence/) as string })
    env.HYPERVAULT_PASSWORD_S2 = 'hunter2'
    const down = await run('doctor', '--json')
    expect(down.exitCode).toBe(1)
    expect(parseDocument(down)).toMatchObject({
      isHealthy: false,
      servers: [{ isReachable: true }, { serverId: 's2', isReachable: false, shards: 2 }],
      findings: [{ kind: 'server-unreachable', serverId: 's2' }],
    })
    expect(down.stdout + down.stderr).not.toContain('hunter2')
  })
})

describe('hypervault rebalance', () => {
  beforeEach(setUp)
  afterEach(tearDown)

  test('plans, then moves shards to a server that joined, and then has nothing to do', async () => {
    await makeFleet()
    env.PG_S3 = databases.connections[3]?.password ?? ''
    await addServer('s3', '--password', 'env:PG_S3')
    const plan = await run('rebalance', '--plan', '--by', 'count')
    expect(plan.exitCode).toBe(0)
    expect(plan.stdout).toMatch(/^s3 +active +0 +→ 1 +0 +→ 1$/m)
    expect(plan.stdout).toMatch(/^ +1 {2}s1 → s3 +1$/m)
    const applied = await run('rebalance', '--apply', '--yes', '--by', 'count', '--max-pause', '60s')
    expect(applied.exitCode).toBe(0)
    expect(applied.stderr).toMatch(/^Move 1: shard 1 lives on s3, \d rows proved, pause [\d.]+ ms \(1 of 1\)$/m)
    const again = await run('rebalance', '--plan', '--by', 'count')
    expect(again.stderr).toContain('No shard needs to move.')
  })
})
