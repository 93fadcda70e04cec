import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { runInGroup } from './process-group.mjs'
import { root } from './root.mjs'

// Binaries come without install scripts, and development dependencies are needed whatever NODE_ENV says.
const npmArguments = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional']

/** Installs the dependencies unless they are there as package-lock.json has them. Gives the exit code of npm. */
export async function ensureInstalled() {
  if (isInstalled()) return 0
  process.stderr.write('installing dependencies (npm ci) …\n')
  // All of its output goes to stderr, because the stdout of the command that follows may be read by a program.
  return await runInGroup([...findNpm(), ...npmArguments], { stdout: 2 })
}

function isInstalled() {
  const wanted = readLock('package-lock.json')
  const installed = readLock('node_modules/.package-lock.json')
  return Object.entries(wanted).every(([path, entry]) => isSatisfied(path, entry, installed[path]))
}

// The root, the workspaces and their links have no version to compare; optional packages are those of the platform.
function isSatisfied(path, wanted, installed) {
  if (!path.startsWith('node_modules/') || wanted.link) return true
  return installed === undefined ? wanted.optional === true : installed.version === wanted.version
}

function readLock(name) {
  const path = join(root, name)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : {}
}

// The npm that runs this, else the one that came with this Node.js.
function findNpm() {
  const running = process.env.npm_execpath
  if (running !== undefined && basename(running).startsWith('npm-cli')) return [running]
  const bundled = join(process.execPath, '..', '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js')
  if (existsSync(bundled)) return [bundled]
  throw new Error('npm not found: run `npm ci --ignore-scripts` by hand first')
}
