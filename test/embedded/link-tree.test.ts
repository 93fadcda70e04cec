import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { linkTree } from '../../src/embedded/link-tree.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

let source: string
let target: string

beforeEach(() => {
  ;[source, target] = [makeFolder(), makeFolder()]
  mkdirSync(join(source, 'bin'), { mode: 0o700 })
  addFile('bin/public', 0o755)
  addFile('bin/private', 0o700)
  addFile('private.txt', 0o600)
})

function makeFolder(parent?: string): string {
  const path = makeTemporaryFolder('link-tree', parent)
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function addFile(name: string, mode: number): void {
  writeFileSync(join(source, name), name)
  chmodSync(join(source, name), mode)
}

function describeFile(name: string): { mode: string; isSame: boolean; text: string } {
  const [from, to] = [statSync(join(source, name)), statSync(join(target, name))]
  const isSame = from.ino === to.ino && from.dev === to.dev
  return { mode: (to.mode & 0o777).toString(8), isSame, text: readFileSync(join(target, name), 'utf8') }
}

it('files that everyone can read are linked, the others are copied for everyone', async () => {
  await linkTree(source, target)
  expect(describeFile('bin/public')).toEqual({ mode: '755', isSame: true, text: 'bin/public' })
  expect(describeFile('bin/private')).toEqual({ mode: '755', isSame: false, text: 'bin/private' })
  expect(describeFile('private.txt')).toEqual({ mode: '644', isSame: false, text: 'private.txt' })
})

it('folders are open to everyone, whatever the umask', async () => {
  const before = process.umask(0o077)
  onTestFinished(() => void process.umask(before))
  await linkTree(source, target)
  expect((statSync(join(target, 'bin')).mode & 0o777).toString(8)).toBe('755')
})

it('symbolic links become files', async () => {
  symlinkSync('private.txt', join(source, 'link.txt'))
  await linkTree(source, target)
  expect(describeFile('link.txt').text).toBe('private.txt')
})

it.runIf(existsSync('/dev/shm'))('across file systems files are copied', async () => {
  target = makeFolder('/dev/shm')
  await linkTree(source, target)
  expect(describeFile('bin/public')).toEqual({ mode: '755', isSame: false, text: 'bin/public' })
})
