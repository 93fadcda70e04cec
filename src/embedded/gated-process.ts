import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { within } from '../pool/within.ts'
import type { Identity } from './unprivileged.ts'
import type { Watched, Watcher } from './watcher.ts'

/** A program to run, who runs it, and who ends it when Node.js is gone. */
export interface GatedProgram {
  readonly command: string
  readonly args: readonly string[]
  /** The folder to run in; it must be open to the identity. */
  readonly folder: string
  readonly logFile: string
  readonly identity: Identity
  readonly watcher: Watcher
  readonly watchAs: Watched
}

// `exec` keeps the process id, which the watcher knows before the gate opens.
const gate = 'read -r go && exec "$@" </dev/null'

/**
 * A process that cannot outlive Node.js: it waits behind a gate until its watcher knows its id. Were it not so, a Node.js
 * killed right after the start would leave it running. It has a session of its own, so that Ctrl-C in a terminal reaches
 * Node.js alone, which then decides.
 */
export class GatedProcess {
  readonly pid: number
  /** Resolves when the process has ended, with its exit code (null after a signal). */
  readonly exited: Promise<number | null>
  readonly #child: ChildProcess
  #hasExited = false

  constructor(program: GatedProgram) {
    this.#child = spawnBehindGate(program)
    if (this.#child.pid === undefined) throw new Error(`cannot start /bin/sh for ${program.command}`)
    this.pid = this.#child.pid
    this.exited = this.#observeExit(program.watcher)
    program.watcher.watch(program.watchAs, this.pid)
    this.#child.stdin?.end('go\n')
  }

  get hasExited(): boolean {
    return this.#hasExited
  }

  /** Sends a signal, if the process is still there. */
  signal(name: NodeJS.Signals): void {
    if (!this.#hasExited) this.#child.kill(name)
  }

  /** Sends SIGKILL to the process and to what it started, as far as that stayed in its group. */
  killGroup(): void {
    if (!this.#hasExited) process.kill(-this.pid, 'SIGKILL')
  }

  /** Tells whether the process ended within this time. */
  async waitForExit(timeoutMs: number): Promise<boolean> {
    const isGone = this.exited.then(() => true)
    return await within(isGone, { signal: undefined, timeoutMs }, () => false)
  }

  // Nothing of it keeps Node.js running: a script that forgets to stop its servers ends, and its watchers clean up.
  #observeExit(watcher: Watcher): Promise<number | null> {
    this.#child.stdin?.on('error', () => {})
    this.#child.unref()
    // Bound: that of whoever waits for the end; see waitForExit().
    return new Promise((resolve) => {
      this.#child.once('exit', (exitCode) => {
        this.#hasExited = true
        watcher.forget()
        resolve(exitCode)
      })
    })
  }
}

function spawnBehindGate(program: GatedProgram): ChildProcess {
  const log = openSync(program.logFile, 'a')
  try {
    return spawn('/bin/sh', ['-c', gate, 'hypervault', program.command, ...program.args], {
      ...program.identity,
      cwd: program.folder,
      env: cleanEnvironment(),
      detached: true,
      stdio: ['pipe', log, log],
    })
  } finally {
    closeSync(log)
  }
}

// Without PGDATA, PGPORT and the like of the user, and without a locale that may not be installed.
function cleanEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
}
