import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lintPackage } from '../../scripts/house/check-package.ts'
import { withTemporaryFolder } from '../../scripts/house/temporary-folder.ts'

function lint(fields: Record<string, unknown>): Promise<string[]> {
  return withTemporaryFolder(async (folder) => {
    const basics = { name: 'made-up', version: '1.0.0', type: 'module', files: ['dist'], license: 'MIT' }
    await writeFile(join(folder, 'package.json'), JSON.stringify({ ...basics, sideEffects: false, ...fields }))
    await mkdir(join(folder, 'dist'))
    await writeFile(join(folder, 'dist', 'index.js'), 'export const a = 1\n')
    await writeFile(join(folder, 'dist', 'index.d.ts'), 'export declare const a = 1\n')
    return lintPackage(folder)
  })
}

test('a package whose entries are there and are published is fine', async () => {
  const index = { types: './dist/index.d.ts', default: './dist/index.js' }
  expect(await lint({ exports: { '.': index }, engines: { node: '>=20' } })).toEqual([])
})

test('an entry that is not built is found', async () => {
  const problems = await lint({ exports: { '.': './dist/index.js', './testing': './dist/testing.js' } })
  expect(problems).toEqual([expect.stringContaining('does not exist')])
})

test('an entry that is built but not published is found', async () => {
  const problems = await lint({ files: ['dist/index.d.ts'], exports: { '.': './dist/index.js' } })
  expect(problems).toEqual([expect.stringContaining('is not published')])
})

test('a warning is as bad as an error', async () => {
  const exports = { '.': { default: './dist/index.js', types: './dist/index.d.ts' } }
  expect(await lint({ exports })).not.toEqual([])
})
