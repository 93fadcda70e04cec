import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { pause } from '../pool/pause.ts'

const goneTimeoutMs = 10_000

/**
 * Sends SIGKILL to a process and its children, and waits until the children are gone. They have sessions of their own, so
 * that there is no group to kill; the parent is stopped first, because it could start further ones in between.
 */
export async function killWithChildren(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const children = await listChildren(pid)
  for (const target of [pid, ...children]) tryKill(target)
  await waitUntilGone(children)
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

// A server that starts again while a backend lives refuses: the shared memory is still in use.
async function waitUntilGone(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + goneTimeoutMs
  while ((await listRunning()).some(({ pid }) => pids.includes(pid))) {
    if (performance.now() > deadline) throw new Error(`processes ${pids.join(', ')} survived SIGKILL`)
    await pause(10, undefined)
  }
}

async function listChildren(parent: number): Promise<number[]> {
  const running = await listRunning()
  return running.filter((each) => each.parent === parent).map(({ pid }) => pid)
}

interface RunningProcess {
  readonly pid: number
  readonly parent: number
}

// `ps` is missing in slim containers, /proc on macOS.
async function listRunning(): Promise<RunningProcess[]> {
  const lines = process.platform === 'linux' ? await readProc() : await readPs()
  return lines.filter(({ state }) => !state.startsWith('Z'))
}

interface ProcessLine extends RunningProcess {
  readonly state: string
}

async function readProc(): Promise<ProcessLine[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const stats = await Promise.all(names.map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')))
  return stats.filter((stat) => stat !== '').map(parseStat)
}

// "pid (name, which may hold spaces and brackets) state ppid …"
function parseStat(stat: string): ProcessLine {
  const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), state }
}

async function readPs(): Promise<ProcessLine[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,state='])
  return stdout.trim().split('\n').map(parsePsLine)
}

function parsePsLine(line: string): ProcessLine {
  const [pid, parent, state = ''] = line.trim().split(/\s+/)
  return { pid: Number(pid), parent: Number(parent), state }
}
