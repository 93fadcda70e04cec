import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { inRoot } from '../../scripts/house/repository.ts'

/** Longest wait for another test file that is building. */
const BUILD_MS = 120_000
const PAUSE_MS = 50

/**
 * The command as users have it: compiled, once for all test files of a run. Started from the sources, each call of it
 * would take a second longer.
 */
export function builtCli(): string {
  const folder = join(inject('temporaryFolder'), 'cli')
  const main = join(folder, 'dist', 'cli', 'main.js')
  const done = join(folder, 'done')
  if (existsSync(done)) return main
  if (tryClaim(folder)) build(folder, done)
  waitFor(done)
  return main
}

/** True for the first who asks. */
function tryClaim(folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch {
    return false
  }
}

function build(folder: string, done: string): void {
  const options = ['-p', inRoot('tsconfig.build.json'), '--outDir', join(folder, 'dist'), '--noCheck', 'true']
  execFileSync(process.execPath, [inRoot('node_modules', 'typescript/bin/tsc'), ...options])
  copyFileSync(inRoot('package.json'), join(folder, 'package.json'))
  symlinkSync(inRoot('node_modules'), join(folder, 'node_modules'))
  writeFileSync(done, '')
}

function waitFor(file: string): void {
  const until = Date.now() + BUILD_MS
  while (!existsSync(file)) {
    if (Date.now() > until) throw new Error('the command was not built in time')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
  }
}
