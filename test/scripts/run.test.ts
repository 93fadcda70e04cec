import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { isRunning } from '../embedded/processes.ts'
import { until } from '../support/until.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

/** What the stand-in for vitest prints. */
interface Told {
  readonly args: string[]
  readonly pids: number[]
  readonly parent: number
}

const here = dirname(fileURLToPath(import.meta.url))
let clone: string

beforeEach(() => {
  clone = makeTemporaryFolder('run')
  onTestFinished(() => rmSync(clone, { recursive: true, force: true }))
  for (const name of ['run', 'run.mjs'])
    cpSync(join(here, '../../scripts', name), join(clone, 'scripts', name), { recursive: true })
  writeLock('1.0.0')
})

function writeLock(version: string): void {
  const packages = {
    '': { version: '0.1.0' },
    'node_modules/a': { version },
    'node_modules/of-another-platform': { version, optional: true },
    'node_modules/workspace': { link: true },
    'test/workspace': { version },
  }
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify({ packages }))
}

/** One run of scripts/run.mjs in the clone; started by so many shells, which stay, as some do for npm. */
class Run {
  readonly process: ChildProcess
  readonly stderr: Promise<string>
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown[]>

  constructor(args: string[], { env = {}, shells = 0 }: { env?: NodeJS.ProcessEnv; shells?: number } = {}) {
    const command = [process.execPath, join(clone, 'scripts', 'run.mjs'), ...args]
    const shell = ['/bin/sh', '-c', '"$@"; exit $?', 'sh']
    const [program = '', ...rest] = [...Array.from({ length: shells }, () => shell).flat(), ...command]
    const npm = { npm_execpath: join(here, 'fixtures', 'npm-cli.mjs'), npm_lifecycle_event: 'test' }
    this.process = spawn(program, rest, {
      detached: true,
      env: { ...process.env, ...npm, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#exited = once(this.process, 'exit')
    this.stderr = text(this.process.stderr!)
    this.#lines = createInterface(this.process.stdout!)[Symbol.asyncIterator]()
    onTestFinished(() => void this.process.kill('SIGKILL'))
  }

  async read<T = Told>(): Promise<T> {
    return JSON.parse((await this.#lines.next()).value as string) as T
  }

  async ended(): Promise<unknown> {
    const [exitCode, signal] = await this.#exited
    return exitCode ?? signal
  }
}

async function untilGone(pids: number[]): Promise<void> {
  await until(`processes ${pids.join()} are gone`, () => !pids.some((pid) => isRunning(pid)))
}

describe('scripts/run.mjs', () => {
  it('installs the dependencies first, and keeps stdout for the command', async () => {
    const run = new Run(['test', '0', '--json'])
    expect((await run.read()).args).toEqual(['0', '--json'])
    expect(await run.ended()).toBe(0)
    const npm = 'npm called with ci --ignore-scripts --no-audit --no-fund --include=dev --include=optional'
    expect(await run.stderr).toBe(`installing dependencies (npm ci) …\n${npm}\n`)
  })

  it('installs nothing when everything is there, and again when a version differs', async () => {
    await new Run(['test', '0']).ended()
    const second = new Run(['test', '0'])
    expect([await second.ended(), await second.stderr]).toEqual([0, ''])
    writeLock('1.0.1')
    expect(await new Run(['test', '0']).stderr).toContain('npm called with ci')
  })

  it('ends with the exit code of a failed installation', async () => {
    const run = new Run(['test', '0'], { env: { NPM_EXIT_CODE: '4' } })
    expect(await run.ended()).toBe(4)
  })

  it('ends with the exit code of the command, and kills what that left', async () => {
    const run = new Run(['test', '5'])
    const { pids } = await run.read()
    expect(await run.ended()).toBe(5)
    await untilGone(pids)
  })

  it.each([[[]], [['toString']], [['nonsense']]])('tells how it is used when it is called with %j', async (args) => {
    const run = new Run(args)
    expect(await run.ended()).toBe(2)
    expect(await run.stderr).toBe('Usage: node scripts/run.mjs demo|bench|test|check|docs|build [arguments]\n')
  })

  it('forwards a Ctrl-C once, although it arrives twice, and ends as the command ends', async () => {
    const run = new Run(['test', '--wait'])
    const { pids } = await run.read()
    process.kill(-run.process.pid!, 'SIGINT')
    run.process.kill('SIGINT')
    expect(await run.read<string>()).toBe('interrupted')
    expect(await run.ended()).toBe(7)
    await untilGone(pids)
  })

  it('kills a command that does not end when Ctrl-C is pressed again', async () => {
    const run = new Run(['test', '--wait', '--stubborn'])
    const { pids } = await run.read()
    run.process.kill('SIGINT')
    await run.read<string>()
    const again = setInterval(() => run.process.kill('SIGINT'), 100)
    onTestFinished(() => clearInterval(again))
    expect(await run.ended()).toBe(128 + 9)
    await untilGone(pids)
  })

  it('is killed with SIGKILL, and the command notices', async () => {
    const run = new Run(['test', '--wait'])
    const { pids } = await run.read()
    run.process.kill('SIGKILL')
    await untilGone(pids)
  })

  it.runIf(process.platform === 'linux').each([
    ['the shell that started it', 1],
    ['what started that shell', 2],
  ])('notices when %s is killed', async (_, shells) => {
    const run = new Run(['test', '--wait'], { shells })
    const { pids, parent } = await run.read()
    expect(parent).not.toBe(run.process.pid)
    run.process.kill('SIGKILL')
    await untilGone([...pids, parent])
  })
})
