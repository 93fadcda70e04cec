import { expect, test } from 'vitest'
import { listSpecifiers, readImportGraph } from '../../scripts/house/imports.ts'
import { inRoot } from '../../scripts/house/repository.ts'

test.each([
  ['an import', `import { a } from './x.ts'`],
  ['an import for its effect', `import './x.ts'`],
  ['an import of a type', `import type { A } from './x.ts'`],
  ['a re-export', `export { a } from './x.ts'`],
  ['a re-export of everything', `export * from './x.ts'`],
  ['a re-export of a type', `export type { A } from './x.ts'`],
  ['an import when it is needed', `async function f() { return await import('./x.ts') }`],
  ['an import inside a type', `let a: import('./x.ts').A`],
])('%s counts', (_what, text) => {
  expect(listSpecifiers(text)).toEqual(['./x.ts'])
})

test('text that only looks like an import does not count', () => {
  expect(listSpecifiers(`// import './x.ts'\nconst text = "import './y.ts'"\nexport { text }`)).toEqual([])
})

test('specifiers of this repository are resolved to files that exist, packages are left out', () => {
  const graph = readImportGraph(inRoot('src'))
  expect(graph.get('index.ts')).toContain('datastore/datastore.ts')
  expect(graph.get('pool/server-pool.ts')).toContain('errors.ts')
  const imported = [...graph.values()].flat().filter((file) => !file.startsWith('../'))
  expect(imported.filter((file) => !graph.has(file))).toEqual([])
})
