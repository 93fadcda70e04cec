import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ClientConfig } from 'pg'
import { describe, expect, test } from 'vitest'
import { rowsOf, wholeShards } from '../schema/servers.ts'
import { until } from '../support/until.ts'
import { cliCommand, makeFolder, runCli, spawnCli } from './run-cli.ts'

interface DevDocument {
  connections: (ClientConfig & { shards: string })[]
}

/** What a server leaves if it is not cleaned up after. */
interface Trace {
  readonly postmasterPid: number
  readonly folder: string
}

async function readDocument({ stdout }: ChildProcessWithoutNullStreams): Promise<DevDocument> {
  let text = ''
  for await (const chunk of stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    text += chunk.toString()
    if (text.endsWith('\n}\n')) break
  }
  return JSON.parse(text) as DevDocument
}

async function traceOf(connection: ClientConfig): Promise<Trace> {
  const [row] = await rowsOf<{ folder: string }>(connection, `select current_setting('data_directory') as folder`)
  const folder = row?.folder ?? ''
  const pidFile = await readFile(join(folder, 'postmaster.pid'), 'utf8')
  return { postmasterPid: Number(pidFile.split('\n')[0]), folder }
}

function isGone({ postmasterPid, folder }: Trace): boolean {
  return !existsSync(folder) && !isRunning(postmasterPid)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function expectNothingLeft(traces: readonly Trace[]): Promise<void> {
  expect(traces.every(({ postmasterPid, folder }) => postmasterPid > 1 && folder !== '')).toBe(true)
  await until('no process and no folder is left', () => traces.every(isGone), 20_000)
}

describe('hypervault dev', () => {
  test('with --fleet prints a configuration that names the catalog of all servers', async () => {
    await using folder = await makeFolder()
    const args = ['dev', '--fleet', '--servers', '2', '--shards', '1-3', '--json']
    const child = spawnCli(args, { cwd: folder.path })
    await using own = await makeFolder({ 'hypervault.config.json': JSON.stringify(await readDocument(child)) })
    const listed = await runCli(['server', 'list', '--json'], { cwd: own.path })
    expect(JSON.parse(listed.stdout)).toMatchObject({ servers: [{ shardIds: [1] }, { shardIds: [2] }] })
    child.kill('SIGINT')
    await once(child, 'close')
  })

  test('starts servers with their shards, prints how to connect, and leaves nothing after Ctrl-C', async () => {
    await using folder = await makeFolder()
    const child = spawnCli(['dev', '--shards', '1-6', '--json'], { cwd: folder.path })
    const { connections } = await readDocument(child)
    expect(connections.map(({ shards }) => shards)).toEqual(['1-4', '4-6'])
    expect(await wholeShards(connections[1])).toEqual([4, 5])
    const traces = await Promise.all(connections.map(traceOf))
    child.kill('SIGINT')
    const [exitCode] = (await once(child, 'close')) as [number | null]
    expect(exitCode).toBe(0)
    await expectNothingLeft(traces)
  })

  test('leaves nothing after kill -9', async () => {
    await using folder = await makeFolder()
    const child = spawnCli(['dev', '--servers', '1', '--shards', '1-3', '--json'], { cwd: folder.path })
    const { connections } = await readDocument(child)
    const traces = await Promise.all(connections.map(traceOf))
    child.kill('SIGKILL')
    await once(child, 'close')
    await expectNothingLeft(traces)
  })

  test('ends, and leaves nothing, when the program that reads from it is gone', async () => {
    await using folder = await makeFolder()
    const child = spawnCli(['dev', '--servers', '1', '--shards', '1-3', '--json'], { cwd: folder.path })
    const { connections } = await readDocument(child)
    const traces = await Promise.all(connections.map(traceOf))
    child.stdout.destroy()
    const [exitCode] = (await once(child, 'close')) as [number | null]
    expect(exitCode).toBe(0)
    await expectNothingLeft(traces)
  })

  test('prints connection strings for people, and ends when its pipe is closed', async () => {
    await using folder = await makeFolder()
    const command = cliCommand(['dev', '--servers', '1', '--shards', '1-3'])
    const shell = spawn('sh', ['-c', '"$@" | head -2', 'sh', ...command], { cwd: folder.path })
    const lines: string[] = []
    for await (const line of createInterface({ input: shell.stdout })) lines.push(line)
    if (shell.exitCode === null) await once(shell, 'close')
    expect(lines).toEqual([
      'server  shards  connection string',
      expect.stringMatching(/^s1 {6}1-3 {5}postgres:\/\/\S+$/),
    ])
    const connectionString = lines[1]?.split(/ +/)[2] ?? ''
    await expect(rowsOf({ connectionString }, 'select 1')).rejects.toThrow('ECONNREFUSED')
  })

  test('writes a configuration that the other commands take, and runs on although nothing reads it', async () => {
    await using folder = await makeFolder()
    const file = join(folder.path, 'hypervault.config.json')
    await using config = await open(file, 'w')
    const [command = '', ...rest] = cliCommand(['dev', '--servers', '1', '--shards', '1-3', '--json'])
    const child = spawn(command, rest, { cwd: folder.path, stdio: ['ignore', config.fd, 'ignore'] })
    await until('the configuration is written', async () => (await readFile(file, 'utf8')).endsWith('\n}\n'))
    const status = await runCli(['status', '--json'], { cwd: folder.path })
    expect(JSON.parse(status.stdout)).toMatchObject({ ok: true, servers: [{ range: '1-3' }] })
    expect(child.exitCode).toBe(null)
    child.kill('SIGTERM')
    const [exitCode] = (await once(child, 'close')) as [number | null]
    expect(exitCode).toBe(0)
    expect((await runCli(['status'], { cwd: folder.path })).exitCode).toBe(1)
  })

  test.each([
    [['--servers', '0'], '--servers must be a whole number from 1, got "0"'],
    [['--shards', '5'], `--shards must look like '1-9'`],
    [['--servers', '3', '--shards', '1-3'], '2 shards cannot be spread over 3 servers'],
    [['--pg-version', '14'], 'version must be one of 15, 16, 17, 18, got 14'],
    [['--config', 'x.json'], 'this command does not accept --config'],
  ])('%j is a wrong call', async (args, message) => {
    await using folder = await makeFolder()
    const { stdout, stderr, exitCode } = await runCli(['dev', ...args], { cwd: folder.path })
    expect(stderr).toContain(message)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
  })
})
