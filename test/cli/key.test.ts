import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { cliCommand, makeFolder, runCli, spawnCli } from './run-cli.ts'

const ID = '307821103844175873'
const DECODED = { key: ID, created: '2014-11-15T14:11:06.450Z', shardId: 12, addedId: 1, serverId: null }

const config = JSON.stringify({ connections: [{ shards: '1-9' }, { shards: '9-17', id: 'east' }] })

describe('hypervault key', () => {
  test('decodes ids without any configuration', async () => {
    await using folder = await makeFolder()
    const { stdout, stderr, exitCode } = await runCli(['key', ID, '-5'], { cwd: folder.path })
    expect(stdout.split('\n')).toEqual([
      '  307821103844175873  2014-11-15T14:11:06.450Z  shard 12    sequence 1',
      '                  -5  2083-05-24T12:53:06.903Z  shard 8191  sequence 1019',
      '',
    ])
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  })

  test('prints one JSON document per id, from standard input too', async () => {
    await using folder = await makeFolder()
    const { stdout, exitCode } = await runCli(['key', '--json'], { cwd: folder.path, input: `${ID}\r\n\n  ${ID}` })
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([DECODED, DECODED])
    expect(exitCode).toBe(0)
  })

  test('names the server, and counts from the epoch, of a configuration', async () => {
    await using folder = await makeFolder({ 'hypervault.config.json': config })
    const { stdout } = await runCli(['--json', 'key', ID, '0', '--epoch-ms', '0'], { cwd: folder.path })
    const [first, second] = stdout.split('\n').map((line) => (line === '' ? undefined : JSON.parse(line)) as unknown)
    expect(first).toEqual({ ...DECODED, serverId: 'east', created: '1971-03-01T17:05:35.098Z' })
    expect(second).toMatchObject({ shardId: 0, serverId: null, created: '1970-01-01T00:00:00.000Z' })
  })

  test('tells an id that is none, decodes the others, and ends with 2', async () => {
    await using folder = await makeFolder()
    const { stdout, stderr, exitCode } = await runCli(['key', 'x', ID, '9223372036854775808'], { cwd: folder.path })
    expect(stdout).toContain(ID)
    expect(stderr.split('\n')).toEqual([
      'hypervault: a key must be a decimal integer of at most 19 digits, got "x"',
      'hypervault: a key must fit into 64 signed bits, got 9223372036854775808',
      '',
    ])
    expect(exitCode).toBe(2)
  })

  test('ends quietly when its reader goes away, however many ids are still to come', async () => {
    await using folder = await makeFolder()
    const child = spawnCli(['key'], { cwd: folder.path })
    const stderr: unknown[] = []
    child.stderr.on('data', (chunk) => stderr.push(chunk))
    child.stdin.on('error', () => undefined)
    const feed = (): void => {
      if (child.stdin.write(`${ID}\n`.repeat(1000))) setImmediate(feed)
      else child.stdin.once('drain', feed)
    }
    feed()
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const [exitCode] = (await once(child, 'close')) as [number | null]
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: [] })
  })

  test('ends with its reader although the writer in front of it would go on for ever', async () => {
    await using folder = await makeFolder()
    const shell = spawn('sh', ['-c', `yes ${ID} | "$@" | head -1`, 'sh', ...cliCommand(['key'])], { cwd: folder.path })
    const [stdout, stderr] = await Promise.all([text(shell.stdout), text(shell.stderr)])
    expect({ ids: stdout.match(/\d{18}/g), stderr }).toEqual({ ids: [ID], stderr: '' })
  })
})
