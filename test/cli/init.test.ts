import { describe, expect, test } from 'vitest'
import { createOriginalShards } from '../support/original-layout.ts'
import { numbers, rowsOf, wholeShards, withClient } from '../schema/servers.ts'
import { makeTestFolder, parseDocument } from './test-folder.ts'

describe('hypervault init', () => {
  test('creates the shards of every server, tells progress in plain lines, and changes nothing the second time', async () => {
    await using folder = await makeTestFolder('1-4', '10-12')
    const first = await folder.run('init')
    expect(first.exitCode).toBe(0)
    expect(first.stdout).toMatch(
      /^server {2}postgres {2}created {2}adopted {2}unchanged\ns1 +\S+ +3 +0 +0\ns2 +\S+ +2 +0 +0\n$/,
    )
    expect(first.stderr).toMatch(/^init: .*\binit: 5 of 5 shards[^\n]*\n$/s)
    expect(await wholeShards(folder.connections[0])).toEqual([1, 2, 3])
    const second = await folder.run('init', '--json')
    expect(parseDocument(second)).toMatchObject({
      servers: [
        { serverId: 's1', created: [], adopted: [], unchanged: [1, 2, 3] },
        { serverId: 's2', created: [], adopted: [], unchanged: [10, 11] },
      ],
      unplaced: [],
    })
  })

  test('adopts the shards of the original and tells those that no entry places', async () => {
    await using folder = await makeTestFolder('1-4')
    await withClient(folder.connections[0], async (client) => {
      await createOriginalShards(client, { first: 2, last: 3, withUpdated: false })
      await createOriginalShards(client, { first: 7, last: 8, withUpdated: true })
    })
    const { stdout, stderr, exitCode } = await folder.run('init')
    expect(stdout).toMatch(/s1 +\S+ +1 +2 +0\n$/)
    expect(stderr).toContain('s1 holds shards that no entry of connections includes; they were left unchanged: 7-8')
    expect(exitCode).toBe(0)
  })

  test('with --dry-run prints SQL that does the same, and changes nothing', async () => {
    await using folder = await makeTestFolder('1-4')
    const { stdout, exitCode } = await folder.run('init', '--dry-run')
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^-- server s1, PostgreSQL \S+\nbegin;/)
    expect(await wholeShards(folder.connections[0])).toEqual([])
    await withClient(folder.connections[0], (client) => client.query(stdout))
    expect(await wholeShards(folder.connections[0])).toEqual([1, 2, 3])
    expect((await folder.run('init', '--dry-run')).stdout).toMatch(/^-- server s1, PostgreSQL \S+: nothing to do\n$/)
  })

  test('with --dry-run --json prints one document', async () => {
    await using folder = await makeTestFolder('1-3')
    const plan = parseDocument<{ servers: unknown[] }>(await folder.run('init', '--dry-run', '--json'))
    expect(plan.servers).toMatchObject([{ created: [1, 2], adopted: [], unchanged: [] }])
    expect(JSON.stringify(plan.servers)).toContain('create schema shard0001')
  })

  test('makes keys that count from the epoch of the call', async () => {
    await using folder = await makeTestFolder('1-2')
    await folder.run('init', '--epoch-ms', '1700000000000')
    const [row] = await rowsOf<{ id: string }>(folder.connections[0], 'select shard0001.next_id()::text as id')
    const { stdout } = await folder.run('key', '--json', '--epoch-ms', '1700000000000', row?.id ?? '')
    const { created } = JSON.parse(stdout) as { created: string }
    expect(Math.abs(Date.parse(created) - Date.now())).toBeLessThan(600_000)
  })

  test('with a server that does not answer fails with the reason and creates nothing', async () => {
    await using folder = await makeTestFolder('1-4')
    const connections = [
      { ...folder.connections[0], shards: '1-4' },
      { host: '127.0.0.1', port: 1, password: 'hunter2', shards: '4-9' },
    ]
    const { stdout, stderr, exitCode } = await folder.run('init', '--connections', JSON.stringify(connections))
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 })
    expect(stderr).toMatch(/s2: .*ECONNREFUSED.*\(HV_PROVISION_FAILED\)\n {6}hint: /)
    expect(stderr).not.toContain('hunter2')
    expect(await wholeShards(folder.connections[0])).toEqual([])
  })
})

describe('hypervault adopt', () => {
  test('takes over what is there, in however many runs, and creates nothing', async () => {
    await using folder = await makeTestFolder('1-9', '9-17')
    await withClient(folder.connections[0], async (client) => {
      await createOriginalShards(client, { first: 2, last: 3, withUpdated: false })
      await createOriginalShards(client, { first: 6, last: 6, withUpdated: true })
    })
    await withClient(folder.connections[1], (client) =>
      createOriginalShards(client, { first: 9, last: 9, withUpdated: true }),
    )
    const { stdout, stderr, exitCode } = await folder.run('adopt')
    expect(stdout).toMatch(/^server {2}postgres {2}missing .*\ns1 +\S+ +5 +3 +0\ns2 +\S+ +7 +1 +0\n$/)
    expect(stderr).toContain('12 shards are missing: npx pg-hypervault init creates them')
    expect(exitCode).toBe(0)
    expect(await wholeShards(folder.connections[0])).toEqual([2, 3, 6])
    const second = parseDocument<{ servers: unknown[] }>(await folder.run('adopt', '--json'))
    expect(second.servers).toMatchObject([
      { adopted: [], unchanged: [2, 3, 6], missing: [1, 4, 5, 7, 8] },
      { adopted: [], unchanged: [9], missing: numbers(10, 16) },
    ])
  })

  test('with --dry-run prints the SQL of what is there alone', async () => {
    await using folder = await makeTestFolder('1-9')
    await withClient(folder.connections[0], (client) =>
      createOriginalShards(client, { first: 2, last: 2, withUpdated: false }),
    )
    const { stdout } = await folder.run('adopt', '--dry-run')
    expect(stdout).toContain('shard0002.next_id')
    expect(stdout).not.toContain('create schema')
    const plan = parseDocument<{ servers: unknown[] }>(await folder.run('adopt', '--dry-run', '--json'))
    expect(plan.servers).toMatchObject([
      { adopted: [2], missing: [1, 3, 4, 5, 6, 7, 8], transactions: [expect.any(String)] },
    ])
  })

  test('of servers without shards does nothing', async () => {
    await using folder = await makeTestFolder('1-3')
    const { stdout, exitCode } = await folder.run('adopt')
    expect(stdout).toMatch(/s1 +\S+ +2 +0 +0\n$/)
    expect(exitCode).toBe(0)
    expect(await wholeShards(folder.connections[0])).toEqual([])
  })
})
