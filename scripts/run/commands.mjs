import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.mjs'

/*
 * A command is a list of steps: the arguments of a Node.js to run, or a function to call. The first exit code that is not
 * 0 ends it.
 */
const commands = {
  demo: (args) => [['--import', 'tsx', 'demo/main.ts', ...args]],
  bench: (args) => [['--import', 'tsx', 'bench/main.ts', ...args]],
  test: (args) => [['node_modules/vitest/vitest.mjs', 'run', ...args]],
  check: (args) => [['--import', 'tsx', 'scripts/check.ts', ...args]],
  docs: (args) => [['--import', 'tsx', 'scripts/docs.ts', ...args]],
  build: (args) => [
    cleanBuild,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', ...args],
    makeCommandExecutable,
  ],
}

export const commandNames = Object.keys(commands)

/** The steps of a command; undefined for a name that is none. */
export function findCommand(name, args) {
  return Object.hasOwn(commands, name ?? '') ? commands[name](args) : undefined
}

function cleanBuild() {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
}

function makeCommandExecutable() {
  const main = join(root, 'dist', 'cli', 'main.js')
  if (existsSync(main)) chmodSync(main, 0o755)
}
