import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findEntryProblems, findExportProblems } from '../../scripts/house/exports.ts'
import { withTemporaryFolder } from '../../scripts/house/temporary-folder.ts'

function problemsOf(files: Record<string, string>, entry = 'entry.ts'): Promise<string[]> {
  return withTemporaryFolder(async (folder) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    return findExportProblems([join(folder, entry)], folder, {
      noLib: true,
      allowImportingTsExtensions: true,
      types: [],
    })
  })
}

test('documented exports of every sort are fine', async () => {
  const text = `
    /** A constant. */ export const a = 1
    /** @throws RangeError, always */ export function f() {}
    /** A function. */ export function b() {}
    /** A class. */ export class C {}
    /** A shape. */ export interface D {}
    /** A name. */ export type E = string
    const notExported = 1`
  expect(await problemsOf({ 'entry.ts': text })).toEqual([])
})

test('an export without a doc comment is found', async () => {
  const text = 'export const a = 1\n// not a doc comment\nexport function b() {}'
  expect(await problemsOf({ 'entry.ts': text })).toEqual([
    'entry.ts exports a without a doc comment at its declaration',
    'entry.ts exports b without a doc comment at its declaration',
  ])
})

test('a re-export is judged by the declaration it leads to', async () => {
  const other = '/** Documented. */ export interface A {}\nexport interface B {}'
  const entry = `/** Not here. */\nexport type { A, B } from './other.ts'`
  expect(await problemsOf({ 'other.ts': other, 'entry.ts': entry })).toEqual([
    'entry.ts exports B without a doc comment at its declaration',
  ])
})

test('a default export is found', async () => {
  expect(await problemsOf({ 'entry.ts': '/** X. */ export default class {}' })).toEqual([
    'entry.ts has a default export',
  ])
})

const sources = new Set(['src/index.ts', 'src/cli/main.ts', './package.json'])

function entryProblems(exports: Record<string, unknown>, bin: Record<string, string> = {}): string[] {
  return findEntryProblems({ exports, bin }, (file) => sources.has(file))
}

test('an entry with types and a source file is fine', () => {
  const index = { types: './dist/index.d.ts', default: './dist/index.js' }
  expect(entryProblems({ '.': index, './package.json': './package.json' }, { x: 'dist/cli/main.js' })).toEqual([])
})

test('an entry or a command without a source file is found', () => {
  const testing = { types: './dist/testing.d.ts', default: './dist/testing.js' }
  expect(entryProblems({ './testing': testing, './x.json': './x.json' }, { x: 'dist/main.js' })).toEqual([
    'exports["./testing"] names ./dist/testing.js, but src/testing.ts does not exist',
    'exports["./x.json"] names ./x.json, which does not exist',
    'bin x names dist/main.js, but src/main.ts does not exist',
  ])
})

test('an entry without types, with those of another file, or with types last is found', () => {
  const file = './dist/index.js'
  const types = './dist/index.d.ts'
  expect(entryProblems({ '.': { default: file } })).toHaveLength(1)
  expect(entryProblems({ '.': { types: './dist/other.d.ts', default: file } })).toHaveLength(1)
  expect(entryProblems({ '.': { default: file, types } })).toEqual(['exports["."] must name "types" first'])
  expect(entryProblems({ '.': { types } })).toEqual(['exports["."] has no "default"'])
})
