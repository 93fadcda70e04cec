import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** The command lines of all processes that run; a zombie has none. */
export function listCommands(): string[] {
  if (process.platform !== 'linux') return execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).split('\n')
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => tryRead(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
}

/** Tells whether a process runs whose command line has this text. */
export function isRunningWith(text: string): boolean {
  return listCommands().some((command) => command.includes(text))
}

/** Tells whether a process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  if (process.platform === 'linux') return tryRead(`/proc/${pid}/cmdline`) !== ''
  return execFileSync('ps', ['-A', '-o', 'pid='], { encoding: 'utf8' }).split('\n').map(Number).includes(pid)
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
