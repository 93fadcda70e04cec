import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeFolder, runCli } from './run-cli.ts'

const url = 'postgres://ada:hunter2@127.0.0.1:1/x'
const unreachable = JSON.stringify([{ shards: '1-9', connectionString: url }])
const packageJson = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

describe('the command line', () => {
  test('prints its version, and help with examples, on standard output', async () => {
    await using folder = await makeFolder()
    expect(await runCli(['--version'], { cwd: folder.path })).toEqual({
      exitCode: 0,
      stdout: `${packageJson.version}\n`,
      stderr: '',
    })
    const help = await runCli(['put', '--help'], { cwd: folder.path })
    expect(help.stdout).toMatch(/Usage: npx pg-hypervault put[\s\S]*--json[\s\S]*Examples:/)
    expect(help).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('without a command prints help on standard error and ends with 2', async () => {
    await using folder = await makeFolder()
    const { stdout, stderr, exitCode } = await runCli([], { cwd: folder.path })
    expect(stderr).toContain('Usage: npx pg-hypervault')
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })

  test.each([
    [['pot'], "unknown command 'pot'", 'Did you mean put?'],
    [['key', '--jsn'], "unknown option '--jsn'", 'Did you mean --json?'],
    [['put', '1'], "missing required argument 'kind'", 'Add --help to see the usage.'],
    [['put', '1.5', '1', 'a=b'], 'shard must be an integer, got "1.5"', 'Add --help to see the usage.'],
    [['put', '8192', '1', 'a=b'], 'shard must be an integer from 0 to 8191, got 8192', 'Add --help to see the usage.'],
    [['put', '1', '40000', 'a=b'], 'kind must be an integer from -32768 to 32767', 'Add --help to see the usage.'],
    [['get', '12x'], 'a key must be a decimal integer', 'Add --help to see the usage.'],
  ])('%j is a wrong call: one line what, one line hint, 2', async (args, what, hint) => {
    await using folder = await makeFolder()
    const { stdout, stderr, exitCode } = await runCli(args, { cwd: folder.path })
    const [first, second, ...rest] = stderr.split('\n')
    expect(first).toMatch(/^hypervault: /)
    expect(first).toContain(what)
    expect(second).toBe(`      hint: ${hint}`)
    expect({ rest, stdout, exitCode }).toEqual({ rest: [''], stdout: '', exitCode: 2 })
  })

  test('without a configuration ends with 2', async () => {
    await using folder = await makeFolder()
    const { stderr, exitCode } = await runCli(['get', '1'], { cwd: folder.path })
    expect(stderr).toContain('HV_CONFIG_NOT_FOUND')
    expect(exitCode).toBe(2)
  })

  test.each(['x.mjs', 'x.ts'])('tells a syntax error in %s without quoting it', async (name) => {
    await using folder = await makeFolder({ [name]: "export default {\n  password: 'hunter2\n}" })
    const { stderr, exitCode } = await runCli(['get', '1', '--config', name], { cwd: folder.path })
    expect(stderr).toContain(name)
    expect(stderr).not.toContain('hunter')
    expect({ exitCode, lines: stderr.split('\n').length }).toEqual({ exitCode: 2, lines: 3 })
  })

  test('that failed prints the error as the one JSON document as well', async () => {
    await using folder = await makeFolder()
    const env = { HYPERVAULT_CONNECTIONS: unreachable }
    const { stdout, stderr, exitCode } = await runCli(['put', '1', '1', 'a=b', '--json'], { cwd: folder.path, env })
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'HV_CONNECT_FAILED' } })
    expect(stderr).toContain('ECONNREFUSED')
    expect(exitCode).toBe(1)
  })

  test('never prints a password, with a stack neither', async () => {
    await using folder = await makeFolder()
    const env = { HYPERVAULT_CONNECTIONS: unreachable, HYPERVAULT_DEBUG: '1' }
    const failed = await runCli(['put', '1', '1', 'a=b', '--json'], { cwd: folder.path, env })
    const misplaced = await runCli([url], { cwd: folder.path, env })
    expect(failed.stderr).toMatch(/\n {4}at /)
    expect(misplaced.stderr).toContain("unknown command 'postgres://ada:***@127.0.0.1:1/x'")
    expect(JSON.stringify([failed, misplaced])).not.toContain('hunter2')
  })

  test('shows no stack unless it is asked for', async () => {
    await using folder = await makeFolder()
    const { stderr } = await runCli(['put', '1', '1', 'a=b'], {
      cwd: folder.path,
      env: { HYPERVAULT_CONNECTIONS: unreachable },
    })
    expect(stderr.split('\n')).toHaveLength(3)
  })
})
