import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import { root } from './root.mjs'

const forwardedSignals = ['SIGINT', 'SIGTERM', 'SIGHUP']
const graceMs = 10_000
// One Ctrl-C arrives twice: from the terminal, and from npm, which forwards its own.
const samePressMs = 1_000

const endWithParent = new URL('end-with-parent.mjs', import.meta.url).href

/** The process group that runs now, if any. */
let current

/**
 * Runs Node.js with these arguments in a process group of its own, in the folder of the repository, and gives its exit code
 * (128 + number after a signal). Whatever is left of the group afterwards is killed.
 */
export async function runInGroup(args, { stdout = 1 } = {}) {
  const child = spawn(process.execPath, ['--import', endWithParent, ...args], {
    cwd: root,
    detached: true,
    env: { ...process.env, HYPERVAULT_RUN_PID: String(process.pid), TSX_DISABLE_CACHE: '1' },
    stdio: ['ignore', stdout, 2],
  })
  current = child
  const stopForwarding = forwardSignals(child)
  try {
    return await waitForExit(child)
  } finally {
    stopForwarding()
    killGroup()
    current = undefined
  }
}

/** Kills the process group that runs now. */
export function killGroup() {
  if (current?.pid === undefined) return
  try {
    process.kill(-current.pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

function waitForExit(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? 128 + constants.signals[signal]))
  })
}

function forwardSignals(child) {
  let firstAt
  let timer
  const forward = (signal) => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      timer = setTimeout(killGroup, graceMs)
      child.kill(signal)
    } else if (performance.now() - firstAt > samePressMs) killGroup()
  }
  for (const signal of forwardedSignals) process.on(signal, forward)
  return () => {
    clearTimeout(timer)
    for (const signal of forwardedSignals) process.off(signal, forward)
  }
}
