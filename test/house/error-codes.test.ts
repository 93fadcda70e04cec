import { expect, test } from 'vitest'
import { listSources } from '../../scripts/house/imports.ts'
import { inRoot, readText } from '../../scripts/house/repository.ts'
import { checkErrorPage } from '../../scripts/house/error-page.ts'
import { errorTable } from '../../src/errors.ts'

const codes = Object.keys(errorTable)

const tests = readAll('test').filter(({ file }) => file.endsWith('.test.ts') && file !== 'house/error-codes.test.ts')
const sources = readAll('src').filter(({ file }) => file !== 'errors.ts')

function readAll(folder: string): { file: string; text: string }[] {
  return listSources(inRoot(folder)).map((file) => ({ file, text: readText(folder, file) }))
}

function listMentions(code: string, texts: readonly { file: string; text: string }[]): string[] {
  return texts.filter(({ text }) => new RegExp(`\\b${code}\\b`).test(text)).map(({ file }) => file)
}

test.each(codes)('%s is provoked by a test', (code) => {
  expect(listMentions(code, tests)).not.toEqual([])
})

test.each(codes)('%s is raised by the source', (code) => {
  expect(listMentions(code, sources)).not.toEqual([])
})

test('the table of codes is in alphabetical order', () => {
  expect(codes).toEqual([...codes].sort())
})

test('docs/errors.md says what the table of codes says', async () => {
  expect(await checkErrorPage()).toEqual([])
})
