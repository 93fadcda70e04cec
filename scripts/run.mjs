/*
 * `node scripts/run.mjs demo|bench|test|check|build|docs [arguments]`: what the scripts of package.json call. It needs nothing
 * but Node.js and npm, so that each of them works in a fresh clone: dependencies come first, then the command.
 *
 * Nothing outlives it. The command runs in a process group of its own, which is ended with it:
 *
 *   Ctrl-C, SIGTERM, SIGHUP    forwarded once; what does not end within ten seconds, or meets a second one, is killed
 *   kill -9 of npm or its sh   noticed within a quarter of a second (watch-parent.mjs), the group is killed
 *   kill -9 of this process    noticed by the command in the same way (end-with-parent.mjs)
 *
 * PostgreSQL servers are not in the group; they end with the Node.js that started them (src/embedded/watcher.ts).
 */

import { commandNames, findCommand } from './run/commands.mjs'
import { ensureInstalled } from './run/install.mjs'
import { runInGroup } from './run/process-group.mjs'
import { watchParent } from './run/watch-parent.mjs'

const usage = `Usage: node scripts/run.mjs ${commandNames.join('|')} [arguments]\n`

async function run([name, ...args]) {
  const command = findCommand(name, args)
  if (command === undefined) {
    process.stderr.write(usage)
    return 2
  }
  watchParent()
  return (await ensureInstalled()) || (await runSteps(command))
}

async function runSteps(steps) {
  for (const step of steps) {
    const exitCode = typeof step === 'function' ? step() : await runInGroup(step)
    if (exitCode) return exitCode
  }
  return 0
}

process.exitCode = await run(process.argv.slice(2))
