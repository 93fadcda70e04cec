import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listHomes, listLeftovers, queryServer } from '../fleet/fleet-query.ts'
import { createFleet, settingsOf, type TestFleet } from '../support/fleet.ts'
import { until } from '../support/until.ts'
import { makeFolder, runCli, spawnCli, type CliOptions, type CliResult } from './run-cli.ts'
import { parseDocument } from './test-folder.ts'

describe('a call of hypervault move', () => {
  test.each([
    [['move'], 'a move needs a shard and --to'],
    [['move', '5'], 'a move needs a shard and --to'],
    [['move', 'x', '--to', 's3'], 'shard must be an integer, got "x"'],
    [['move', '9999', '--to', 's3'], 'shard must be an integer from 0 to 8191'],
    [['move', '5', '--to', 's3', '--max-pause', '5'], '--max-pause must be a time such as 500ms'],
    [['move', '5', '--to', 's3', '--throttle', '20'], '--throttle must be at least 64kB per second'],
    [['move', '5', '--to', 's3', '--throttle', '1kB'], '--throttle must be at least 64kB per second'],
    [['rebalance', '--apply', '--throttle', 'fast'], '--throttle must be at least 64kB per second'],
    [['move', 'abort', 'x'], 'move must be a whole number from 1'],
  ])('%j is a wrong one: 2', async (args, what) => {
    await using folder = await makeFolder()
    const options = { cwd: folder.path, env: { HYPERVAULT_CATALOG: 'postgres://nowhere/x' } }
    const { stdout, stderr, exitCode } = await runCli(args, options)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
    expect(stderr).toContain(what)
  })
})

describe('hypervault move', () => {
  let fleet: TestFleet
  let options: CliOptions
  let folder: Awaited<ReturnType<typeof makeFolder>>

  beforeEach(async () => {
    fleet = await createFleet()
    folder = await makeFolder()
    const { user, password, host, port, database } = fleet.catalogConnection
    const url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
    const passwords = fleet.connections.map((connection) => {
      const reference = settingsOf(connection).password as { env: string }
      return [reference.env, connection.password]
    })
    options = { cwd: folder.path, env: { HYPERVAULT_CATALOG: url, ...Object.fromEntries(passwords) } }
    await queryServer(fleet, 0, "insert into shard0001.entities (type, body) select 1, '' from generate_series(1, 500)")
  })

  afterEach(async () => {
    await folder[Symbol.asyncDispose]()
    await fleet[Symbol.asyncDispose]()
  })

  const run = (...args: string[]): Promise<CliResult> => runCli(args, options)

  test('moves a shard, says what it proved and what comes next, and completes', async () => {
    const moved = await run('move', '1', '--to', 's3')
    expect(moved.exitCode).toBe(0)
    expect(moved.stdout).toMatch(/^shard: +1, from s1 to s3\nrows proved equal: +501 in 2 tables$/m)
    expect(moved.stderr).toContain('shard 1 to s3, copying: copy rows')
    expect(moved.stderr).toMatch(
      /Move 1 of shard 1 is mirroring. Next:\n {2}npx pg-hypervault move complete 1 .*\n {2}npx pg-hypervault move reverse 1 /,
    )
    expect((await run('move', 'list')).stdout).toMatch(/^1 +1 +s1 → s3 +mirroring +501 +[\d.]+ ms /m)
    const status = parseDocument(await run('move', 'status', '1', '--json'))
    expect(status).toMatchObject({
      phase: 'mirroring',
      lagBytes: expect.any(Number) as number,
      next: ['npx pg-hypervault move complete 1', 'npx pg-hypervault move reverse 1'],
      steps: expect.arrayContaining([expect.objectContaining({ step: 'copy', state: 'done' })]) as object[],
    })
    expect((await run('move', 'complete', '1', '--yes')).stderr).toContain('Move 1 of shard 1 is completed.')
    expect((await run('move', 'list')).stderr).toContain('No move is under way. To see finished moves, add --all')
    expect(parseDocument(await run('move', 'list', '--all', '--json'))).toMatchObject({
      moves: [{ phase: 'completed' }],
    })
    expect([await listHomes(fleet, 1), await listLeftovers(fleet)]).toEqual([['s3'], []])
  })

  test('comes back, and completes by itself when told to', async () => {
    expect((await run('move', '1', '--to', 's3', '--json')).exitCode).toBe(0)
    expect(parseDocument(await run('move', 'reverse', '1', '--json'))).toMatchObject({ rows: 501, mismatches: [] })
    const kept = await run('move', '1', '--to', 's3', '--keep-reverse', '10ms', '--yes')
    expect(kept.stderr).toContain('Move 2 of shard 1 is completed.')
    expect([await listHomes(fleet, 1), await listLeftovers(fleet)]).toEqual([['s3'], []])
  })

  test('with --dry-run prints every statement without a password, and changes nothing', async () => {
    const { stdout, stderr, exitCode } = await run('move', '1', '--to', 's3', '--dry-run')
    expect(exitCode).toBe(0)
    expect(stderr).toContain('The move is possible.')
    expect(stdout).toMatch(/^-- subscription, at s3: .*\ncreate subscription .*password=\*\*\*/m)
    expect(stdout).toContain('-- switch, at catalog: one transaction, the point of no return')
    expect(stdout).not.toContain(fleet.connections[0]?.password)
    expect(parseDocument(await run('move', 'list', '--all', '--json'))).toEqual({ moves: [] })
    expect([await listHomes(fleet, 1), await listLeftovers(fleet)]).toEqual([['s1'], []])
  })

  test('with --throttle says how the rows are copied, before and afterwards', async () => {
    const { stdout } = await run('move', '1', '--to', 's3', '--throttle', '1.5MB', '--dry-run')
    const [, , copying = ''] = /^-- throttled copy, at s1: (.*)\n(begin[^]*?)\n\n/m.exec(stdout) ?? []
    expect(copying.split('\n')).toEqual([
      'begin isolation level repeatable read read only;',
      `CREATE_REPLICATION_SLOT "hv_move_0_planned" LOGICAL pgoutput (SNAPSHOT 'use');`,
      'copy shard0001."entities" ("id", "type", "body", "updated") to stdout;',
      expect.stringMatching(/^copy shard0001."hv_migrations" \(.*\) to stdout;$/),
    ])
    expect(stdout).toContain('at most 1572864 bytes per second through this process')
    expect(stdout).toMatch(/^create subscription hv_move_0_planned .* copy_data = false/m)
    expect((await run('move', '1', '--to', 's3', '--throttle', '20MB/s')).exitCode).toBe(0)
    const status = await run('move', 'status', '1')
    expect(status.stdout).toMatch(
      /^throttle: rows are copied at no more than 20.0 MB\/s\n.*\n.* throttled copy +begun\n/ms,
    )
  })

  test('with --dry-run tells all that stands in the way', async () => {
    await queryServer(fleet, 0, 'create unlogged table shard0001.notes (id bigint primary key)')
    const { stderr, exitCode } = await run('move', '1', '--to', 's3', '--dry-run')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('shard0001.notes is unlogged')
    const same = await run('move', '1', '--to', 's1', '--dry-run')
    expect(same).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('already lives on server s1') as string })
  })

  test('that is stopped by Ctrl-C while it waits ends at once, and says how to go on', async () => {
    const writer = new Client(fleet.connections[0])
    await writer.connect()
    await writer.query('begin; create table shard0002.open (id bigint primary key)')
    const child = spawnCli(['move', '1', '--to', 's3'], options)
    const said = text(child.stderr)
    const waiting =
      "select from pg_stat_activity where query like '%create_logical_replication_slot%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()"
    await until('the slot is waited for', async () => (await queryServer(fleet, 0, waiting)).length > 0)
    child.kill('SIGINT')
    const [exitCode] = (await once(child, 'close')) as [number]
    expect(exitCode).toBe(1)
    expect(await said).toMatch(
      /stopped before the end\nMove 1 of shard 1 is preparing. Next:\n {2}npx pg-hypervault move resume 1 .*\n {2}npx pg-hypervault move abort 1 /,
    )
    await until('nobody waits for a slot', async () => (await queryServer(fleet, 0, waiting)).length === 0)
    await writer.end()
    expect((await run('move', 'resume', '1')).exitCode).toBe(0)
    expect(await listHomes(fleet, 1)).toEqual(['s1', 's3'])
    expect(await run('move', 'complete', '1', '--yes')).toMatchObject({ exitCode: 0 })
  })
})
