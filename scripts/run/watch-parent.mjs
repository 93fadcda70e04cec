import { readFileSync } from 'node:fs'
import { setInterval } from 'node:timers'
import { killGroup } from './process-group.mjs'

const pollMs = 250

/**
 * Ends this process and its group when the process that started it is gone; npm that is killed with SIGKILL can tell
 * nobody. A `sh` between npm and this one would stay, hence its parent is looked at as well.
 */
export function watchParent() {
  const shell = isNpmShell(process.ppid) ? process.ppid : undefined
  const parents = readParents(shell)
  const timer = setInterval(() => {
    if (readParents(shell) === parents) return
    killGroup()
    process.exit(1)
  }, pollMs)
  timer.unref()
}

function readParents(shell) {
  return shell === undefined ? `${process.ppid}` : `${process.ppid} ${readStat(shell)?.parent}`
}

function isNpmShell(pid) {
  return process.env.npm_lifecycle_event !== undefined && /^(da|ba|z|k)?sh$/.test(readStat(pid)?.name ?? '')
}

// Linux only: elsewhere the shell replaces itself by the one command that it is given.
function readStat(pid) {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { name, parent }
  } catch {
    return undefined
  }
}
