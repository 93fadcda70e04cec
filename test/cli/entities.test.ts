import { describe, expect, test } from 'vitest'
import { runCli } from './run-cli.ts'
import { makeTestFolder, parseDocument } from './test-folder.ts'

describe('hypervault put', () => {
  test('stores pairs, a JSON object, or one from standard input, and prints the key', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    const pairs = await folder.run('put', '2', '1', 'beep=boop', 'name=Ada Lovelace')
    const object = await folder.run('put', '3', '-5', '{"gone":null,"quote":"\\"\\\\\\n"}')
    const piped = await runCli(['put', '3', '7', '-', '--json'], { cwd: folder.path, input: '{"東京":"🗼"}' })
    expect(pairs).toMatchObject({ stdout: expect.stringMatching(/^\d+\n$/) as string, stderr: '', exitCode: 0 })
    expect(parseDocument(piped)).toEqual({
      key: expect.stringMatching(/^\d+$/) as string,
      shardId: 3,
      kind: 7,
      serverId: 's1',
    })
    const keys = [pairs.stdout.trim(), object.stdout.trim(), parseDocument<{ key: string }>(piped).key]
    const { stdout } = await folder.run('get', '--json', ...keys)
    const entities = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(entities).toEqual([
      { key: keys[0], shardId: 2, kind: 1, body: { beep: 'boop', name: 'Ada Lovelace' }, updated: null },
      { key: keys[1], shardId: 3, kind: -5, body: { gone: null, quote: '"\\\n' }, updated: null },
      { key: keys[2], shardId: 3, kind: 7, body: { 東京: '🗼' }, updated: null },
    ])
  })

  test('into a shard that no server holds, or that was not made, ends with 1 and prints no key', async () => {
    await using folder = await makeTestFolder('1-4')
    const unknown = await folder.run('put', '9', '1', 'a=b')
    expect(unknown).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('(HV_SHARD_UNKNOWN)') as string,
      exitCode: 1,
    })
    const missing = await folder.run('put', '2', '1', 'a=b')
    expect(missing).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('npx pg-hypervault init') as string,
      exitCode: 1,
    })
  })
})

describe('hypervault get', () => {
  test('prints an entity for people, in which null and the text null stay apart', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    const key = (await folder.run('put', '2', '1', '{"a":null,"b":"null","c":"\\u001b[31m"}')).stdout.trim()
    const { stdout } = await folder.run('get', key)
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^${key} {2}shard 2 {2}kind 1 {2}\\d{4}-`)),
      '  "a": null',
      '  "b": "null"',
      '  "c": "\\u001b[31m"',
      '',
    ])
  })

  test('prints what is there, tells what is not and what could not be read, and ends with 1', async () => {
    await using folder = await makeTestFolder('1-4')
    await folder.run('init')
    const key = (await folder.run('put', '2', '1', 'a=b')).stdout.trim()
    const { stdout, stderr, exitCode } = await folder.run('get', '--json', '1024', '9216', key)
    expect(parseDocument({ stdout, stderr, exitCode })).toMatchObject({ key, body: { a: 'b' } })
    expect(stderr).toContain('hypervault: 1024 does not exist (shard 1)\n')
    expect(stderr).toContain('hypervault: 9216 could not be read: no server holds shard 9\n')
    expect(exitCode).toBe(1)
  })
})
