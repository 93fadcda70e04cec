import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Key } from '../../src/key/key.ts'
import { printMoves } from '../../src/cli/fleet/move-report.ts'
import type { ServerConnection } from '../../src/embedded/server-connection.ts'
import { createDatabases } from '../support/databases.ts'
import { withClient } from '../schema/servers.ts'
import { makeFolder, runCli, type CliResult } from './run-cli.ts'
import { makeTestFolder, parseDocument, type TestFolder } from './test-folder.ts'

/** 200 shards on one server, and a role that may look at them and own none. */
let folder: TestFolder
const role = `hv_guest_${process.pid}`

beforeAll(async () => {
  folder = await makeTestFolder('0-200')
  await mkdir(join(folder.path, 'db'))
  await writeFile(join(folder.path, 'db', '0001_bad.sql'), 'alter table entities add column more no_such_type;')
  await folder.run('init')
  await withClient(folder.connections[0], async (client) => {
    await client.query(`create role ${role} login superuser password 'guest'`)
    await client.query(`alter role ${role} nosuperuser`)
  })
}, 120_000)

afterAll(async () => {
  await withClient(folder.connections[0], (client) => client.query(`drop role ${role}`))
  await folder[Symbol.asyncDispose]()
})

/** Lines of both streams that are about a failure. */
function linesAbout(cause: string, { stdout, stderr }: CliResult): string[] {
  return `${stdout}\n${stderr}`.split('\n').filter((line) => line.includes(cause))
}

/** The same command line with other entries of connections. */
function runWith(connections: readonly unknown[], ...args: string[]): Promise<CliResult> {
  const env = { HYPERVAULT_CONNECTIONS: JSON.stringify(connections) }
  return runCli(args, { cwd: folder.path, env })
}

const shards = Array.from({ length: 200 }, (_, id) => `shard${String(id).padStart(4, '0')}`)

const everything = ['--no-canary', '--max-failures', '1000', '--dir', 'db']

describe('the same failure in 200 shards is one line with a count', () => {
  test('of a bad statement in a migration, and the JSON document has them all', async () => {
    const failed = await folder.run('migrate', 'up', ...everything)
    expect(linesAbout('no_such_type', failed)).toEqual([
      'hypervault: s1, 200 shards (0-199), 0001_bad: type "no_such_type" does not exist',
    ])
    const { failures } = parseDocument<{ failures: unknown[] }>(
      await folder.run('migrate', 'up', ...everything, '--json'),
    )
    expect(failures).toHaveLength(200)
  })

  test.each([
    ['index', 'create', 'email'],
    ['migrate', 'up', ...everything],
    ['migrate', 'plan', '--dir', 'db'],
    ['migrate', 'status', '--dir', 'db'],
  ])('of a missing permission: %s %s', async (...args) => {
    const guest = { ...folder.connections[0], user: role, password: 'guest', shards: '0-200' }
    const failed = await runWith([guest], ...args)
    expect(failed.exitCode).toBe(1)
    expect(linesAbout('hypervault: ', failed)).toHaveLength(1)
  })

  test('of indexes that are not valid, and of those that were rebuilt', async () => {
    await withClient(folder.connections[0], async (client) => {
      for (const shard of shards) {
        await client.query(`create index notes_kind on ${shard}.entities (type)`)
      }
      await client.query("update pg_index set indisvalid = false where indexrelid::regclass::text like '%notes_kind'")
    })
    const verified = await folder.run('migrate', 'verify')
    expect(linesAbout('notes_kind', verified)).toEqual([
      'hypervault: s1, 200 shards (0-199): index notes_kind is invalid',
    ])
    const fixed = await folder.run('migrate', 'verify', '--fix')
    expect(linesAbout('notes_kind', fixed)).toEqual(['s1, 200 shards (0-199): index notes_kind was rebuilt'])
  })
})

describe('the same finding of the doctor in 200 shards is one line with a count', () => {
  test('and it is put right in all of them', async () => {
    await using databases = await createDatabases(1)
    const { host, port, user, password, database } = databases.connections[0] as ServerConnection
    const catalog = `postgres://${user}:${password}@${host}:${port}/${database}`
    const env = { HYPERVAULT_CATALOG: catalog, HYPERVAULT_PASSWORD_S1: password }
    const run = (...args: string[]): Promise<CliResult> => runCli(args, { cwd: folder.path, env })
    await run('catalog', 'init')
    await run('catalog', 'import')
    await withClient(folder.connections[0], async (client) => {
      for (const shard of shards) await client.query(`alter sequence ${shard}.table_id_seq cache 5`)
    })
    const ill = await run('doctor')
    expect(linesAbout('has a cache', ill)).toEqual([
      'problem: s1, 200 shards (0-199): the sequence of shard N on server s1 has a cache: keys generated at the same time are out of order, and repeat sooner',
    ])
    expect(linesAbout('    do: alter', ill)).toEqual(['    do: alter sequence shardNNNN.table_id_seq cache 1'])
    const { findings } = parseDocument<{ findings: { kind: string }[] }>(await run('doctor', '--json'))
    expect(findings.filter(({ kind }) => kind === 'sequence-cached')).toHaveLength(200)
    expect(linesAbout('fixed: s1, 200 shards', await run('doctor', '--fix'))).toHaveLength(1)
  })
})

describe('moves that stopped for the same reason', () => {
  test('are a row each, and the reason is told once', async () => {
    const moves = Array.from({ length: 200 }, (_, index) => ({
      moveId: index + 1,
      shardId: index,
      source: 's1',
      target: 's2',
      phase: 'copying',
      startedAt: new Date(0),
      problem: `move ${index + 1} of shard ${index} waits for pid ${4_000 + index}`,
    }))
    const said: string[] = []
    const output = { data: (text: string) => Promise.resolve(void said.push(text)) }
    await printMoves(moves as never, { isAll: false }, { output, isJson: false } as never)
    const lines = said.join('\n').split('\n')
    expect(lines.filter((line) => line.includes('waits for'))).toEqual([
      '200 shards (0-199): move 1 of shard N waits for pid 4000 (the others alike)',
    ])
  })
})

describe('the same failure of 200 servers is one line with a count', () => {
  const down = Array.from({ length: 200 }, (_, index) => ({
    host: '127.0.0.1',
    port: 1 + (index % 2),
    shards: `${index}-${index + 1}`,
  }))
  const keys = down.map((_, shardId) => `${Key.from({ created: new Date(), shardId, addedId: 1 }).id}`)

  test.each([
    ['status', ['status'], 1],
    ['init', ['init'], 1],
    ['migrate up', ['migrate', 'up', ...everything], 1],
    ['migrate plan', ['migrate', 'plan', '--dir', 'db'], 1],
    ['migrate status', ['migrate', 'status', '--dir', 'db'], 1],
    ['migrate verify', ['migrate', 'verify'], 1],
    ['index create', ['index', 'create', 'email'], 1],
    ['index list', ['index', 'list'], 1],
    ['spread show', ['spread', 'show'], 1],
    ['get', ['get', ...keys], 1],
    ['export', ['export', 'out.ndjson'], 1],
  ])('%s', async (_, args, count) => {
    await using own = await makeFolder()
    const options = { cwd: own.path, env: { HYPERVAULT_CONNECTIONS: JSON.stringify(down) } }
    await mkdir(join(own.path, 'db'))
    const failed = await runCli(args, options)
    expect(failed.exitCode).toBe(1)
    expect(linesAbout('ECONNREFUSED', failed)).toHaveLength(count)
    expect(failed.stderr.split('\n').length).toBeLessThan(8)
  })
})
