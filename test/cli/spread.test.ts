import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createDatabases } from '../support/databases.ts'
import { makeFolder, runCli, type CliResult } from './run-cli.ts'
import { makeTestFolder, parseDocument } from './test-folder.ts'

describe('hypervault spread', () => {
  test('shows the shards that values are spread over, plans a change, and wants to be told twice', async () => {
    await using folder = await makeTestFolder('1-3', '3-5')
    await folder.run('init')
    const show = (): Promise<unknown> => folder.run('spread', 'show', '--json').then((result) => parseDocument(result))
    expect(await show()).toEqual({ spread: '1-5', others: null })
    const plan = await folder.run('spread', 'set', '1-4', '--dry-run')
    expect(plan).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/over 1-5. The new spread is 1-4[^]*75 % of all values[^]*No row is moved/),
    })
    expect(await folder.run('spread', 'set', '1-4')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('spread set 1-4 --yes'),
    })
    expect(await show()).toEqual({ spread: '1-5', others: null })
    expect(parseDocument(await folder.run('spread', 'set', '1-4', '--yes', '--json'))).toEqual({
      before: '1-5',
      after: '1-4',
      movedShare: 0.75,
      applied: true,
      failures: [],
    })
    expect(await show()).toEqual({ spread: '1-4', others: '4-5' })
    writeFileSync(join(folder.path, 'rows.ndjson'), '{"a":"b"}\n')
    expect(
      await folder.run('import', join(folder.path, 'rows.ndjson'), '--kind', '1', '--shard-by', 'a'),
    ).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("spread: '1-4'") })
  })

  test.each(['9-10', '1-1', 'x', '1-3,2-4'])('refuses to spread values over %s', async (shards) => {
    await using folder = await makeTestFolder('1-3')
    await folder.run('init')
    const { exitCode, stderr } = await folder.run('spread', 'set', shards, '--yes')
    expect([1, 2]).toContain(exitCode)
    expect(stderr).toMatch(/no server holds 9-10|is empty|must look like|twice/)
  })
})

describe('servers that are registered one by one', () => {
  test('leave values on the shards of the first, which server add, init and doctor tell, and spread set ends', async () => {
    await using databases = await createDatabases(3)
    const [catalog, ...servers] = databases.connections
    await using folder = await makeFolder()
    const env = {
      HYPERVAULT_CATALOG: `postgres://${catalog?.user}:${catalog?.password}@${catalog?.host}:${catalog?.port}/${catalog?.database}`,
    }
    const run = (...args: string[]): Promise<CliResult> =>
      runCli(args, { cwd: folder.path, env: { ...env, ...passwords } })
    const passwords = Object.fromEntries(
      servers.map(({ password }, at) => [`HYPERVAULT_PASSWORD_S${at + 1}`, password]),
    )
    const add = (id: number, shards: string): Promise<CliResult> => {
      const { host = '', port = 0, user = '', database = '' } = servers[id - 1] ?? {}
      const where = ['--host', host, '--port', String(port), '--user', user, '--database', database]
      return run(
        'server',
        'add',
        `s${id}`,
        ...where,
        '--password',
        `env:HYPERVAULT_PASSWORD_S${id}`,
        '--shards',
        shards,
      )
    }
    await run('catalog', 'init')
    expect((await add(1, '0-8')).stderr).not.toContain('get none')
    expect((await run('init')).stderr).not.toContain('get none')
    const outside = 'values are spread over 8 shards, 0-8; 8 shards get none: 8-16'
    for (const said of [(await add(2, '8-16')).stderr, (await run('init')).stderr, (await run('doctor')).stdout]) {
      expect(said).toContain(outside)
      expect(said).toContain('npx pg-hypervault spread set 0-16 --yes')
    }
    expect((await run('spread', 'show')).stdout).toContain('Values are spread over 8 shards: 0-8')
    await run('spread', 'set', '0-16', '--yes')
    expect((await run('doctor')).stdout).not.toContain('get none')
  }, 60_000)
})
