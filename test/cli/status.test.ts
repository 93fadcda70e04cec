import { describe, expect, test } from 'vitest'
import { withClient } from '../schema/servers.ts'
import { startSilentServer } from '../support/silent-server.ts'
import { makeFolder, runCli } from './run-cli.ts'
import { makeTestFolder, parseDocument } from './test-folder.ts'

interface StatusDocument {
  ok: boolean
  servers: Record<string, unknown>[]
}

describe('hypervault status', () => {
  test('tells version, shards, entities, bytes, latency and pool of every server', async () => {
    await using folder = await makeTestFolder('1-4', '4-6')
    await folder.run('init')
    await folder.run('put', '2', '1', 'beep=boop')
    const { servers, ok } = parseDocument<StatusDocument>(await folder.run('status', '--json'))
    expect(ok).toBe(true)
    expect(servers).toMatchObject([
      { serverId: 's1', range: '1-4', reachable: true, problem: null, entities: 1, isExact: true },
      { serverId: 's2', range: '4-6', reachable: true, problem: null, entities: 0 },
    ])
    expect(servers[0]).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+$/) as string,
      shards: { expected: 3, found: 3, missing: [], unfit: [] },
      bytes: expect.any(Number) as number,
      connections: { open: 1, max: expect.any(Number) as number },
      latencyMs: expect.any(Number) as number,
      pool: { total: 1, idle: 1, lent: 0, created: 1, destroyed: 0 },
    })
  })

  test('prints a table with one line per server', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    const { stdout, stderr, exitCode } = await folder.run('status')
    const [head, ...lines] = stdout.split('\n')
    expect(head?.split(/ +/)).toEqual([
      'server',
      'state',
      'postgres',
      'shards',
      'entities',
      'bytes',
      'connections',
      'latency',
    ])
    expect(lines).toEqual([expect.stringMatching(/^s1 +up +\d+\.\d+ +3\/3 +0 +[\d.]+ kB +1\/\d+ +[\d.]+ ms$/), ''])
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  })

  test('of a server that is down tells why, still tells the others, and ends with 1', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    const connections = JSON.stringify([
      { shards: '4-9', id: 'gone', connectionString: 'postgres://ada:hunter2@127.0.0.1:1/x' },
      { ...folder.connections[0], shards: '1-4' },
    ])
    const text = await folder.run('status', '--connections', connections)
    expect(text.stdout).toMatch(/^gone +down$/m)
    expect(text.stdout).toMatch(/^s2 +up +\S+ +3\/3/m)
    expect(text.stdout).toContain('could not connect to server gone: connect ECONNREFUSED 127.0.0.1:1')
    expect(text.exitCode).toBe(1)
    const json = await folder.run('status', '--connections', connections, '--json')
    expect(parseDocument<StatusDocument>(json)).toMatchObject({
      ok: false,
      servers: [
        { reachable: false, problem: expect.stringContaining('ECONNREFUSED') as string, version: null },
        { reachable: true },
      ],
    })
    expect(JSON.stringify([text, json])).not.toContain('hunter2')
  })

  test('shows no password where a server repeats one in its answer', async () => {
    await using folder = await makeTestFolder('1-4')
    const HYPERVAULT_CONNECTIONS = JSON.stringify([{ ...folder.connections[0], database: 'hunter2', shards: '1-4' }])
    const env = { HYPERVAULT_CONNECTIONS, PGPASSWORD: 'hunter2' }
    const { stdout, stderr } = await runCli(['status'], { cwd: folder.path, env })
    const document = await runCli(['status', '--json'], { cwd: folder.path, env })
    expect(stdout).toContain('database "***" does not exist')
    expect(stdout + stderr + document.stdout).not.toContain('hunter2')
  })

  test('names missing and unfit shards and ends with 1', async () => {
    await using folder = await makeTestFolder('1-9')
    await folder.run('init')
    await withClient(folder.connections[0], async (client) => {
      await client.query('drop schema shard0002 cascade; drop schema shard0003 cascade')
      await client.query('alter table shard0005.entities drop column body')
    })
    const { stdout, exitCode } = await folder.run('status')
    expect(stdout).toMatch(/^s1 +incomplete +\S+ +6\/8/m)
    expect(stdout).toContain('s1: missing shards 2-3; to create them: npx pg-hypervault init')
    expect(stdout).toContain('s1, shard 5: cannot be used as a shard: column body is missing')
    expect(exitCode).toBe(1)
  })

  test('of a server that never says a word gives up after poolBlockTimeoutMs', async () => {
    await using silent = await startSilentServer()
    const config = { poolBlockTimeoutMs: 200, connections: [{ shards: '1-4', host: '127.0.0.1', port: silent.port }] }
    await using folder = await makeFolder({ 'hypervault.config.json': JSON.stringify(config) })
    const result = await runCli(['status', '--json'], { cwd: folder.path })
    expect(parseDocument<StatusDocument>(result).servers).toMatchObject([
      { reachable: false, pool: { total: 0, idle: 0 } },
    ])
    expect(result.exitCode).toBe(1)
  })
})
