import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { findCycles } from '../../scripts/house/cycles.ts'
import { findLayer, findLayerViolations, layers } from '../../scripts/house/layers.ts'

function violations(imports: Record<string, string[]>): string[] {
  return findLayerViolations(new Map(Object.entries(imports)))
}

test('a file may import its own layer and every layer above it', () => {
  const imports = ['pool/lease.ts', 'key/key.ts', 'errors.ts', '../package.json']
  expect(violations({ 'pool/server-pool.ts': imports })).toEqual([])
})

test('an import of a layer below is found, with both layers', () => {
  expect(violations({ 'pool/server-pool.ts': ['shard/shard-connection.ts'] })).toEqual([
    'src/pool/server-pool.ts (pool) imports src/shard/shard-connection.ts (shard), which is a layer below',
  ])
})

test('the error table imports nothing of any layer', () => {
  expect(violations({ 'errors.ts': ['key/key.ts'] })).toHaveLength(1)
})

test('an entry point may import anything', () => {
  expect(
    violations({ 'index.ts': ['datastore/datastore.ts', 'cli/run.ts'], 'testing.ts': ['embedded/cluster.ts'] }),
  ).toEqual([])
})

test('an import of an entry point is found, also from another entry point', () => {
  expect(violations({ 'cli/run.ts': ['index.ts'], 'testing.ts': ['index.ts'] })).toEqual([
    'src/cli/run.ts imports the entry point src/index.ts',
    'src/testing.ts imports the entry point src/index.ts',
  ])
})

test('a file in an unknown folder, or at the top without being known there, is found', () => {
  const found = violations({ 'utils/text.ts': [], 'text.ts': [] })
  expect(found).toEqual([
    expect.stringContaining('src/utils/text.ts is in no layer'),
    expect.stringContaining('src/text.ts is in no layer'),
  ])
})

test('an import from outside src is found', () => {
  expect(violations({ 'key/key.ts': ['../test/support/until.ts'] })).toEqual([
    'src/key/key.ts imports ../test/support/until.ts, which is outside src',
  ])
})

test('the datastore and its options are one layer', () => {
  expect(findLayer('datastore/datastore.ts')).toBe('datastore')
  expect(findLayer('datastore/datastore-options.ts')).toBe('datastore')
  expect(findLayer('datastore.ts')).toBeUndefined()
})

test('a cycle of imports is found and shown as a path', () => {
  const graph = new Map([
    ['key/a.ts', ['key/b.ts']],
    ['key/b.ts', ['key/c.ts']],
    ['key/c.ts', ['key/b.ts']],
  ])
  expect(findCycles(graph)).toEqual(['import cycle: src/key/b.ts -> src/key/c.ts -> src/key/b.ts'])
})

test('a file that imports itself is a cycle', () => {
  expect(findCycles(new Map([['key/a.ts', ['key/a.ts']]]))).toHaveLength(1)
})

test('two ways to the same file are no cycle', () => {
  const graph = new Map([
    ['a.ts', ['b.ts', 'c.ts']],
    ['b.ts', ['d.ts']],
    ['c.ts', ['d.ts']],
  ])
  expect(findCycles(graph)).toEqual([])
})

test('CONTRIBUTING.md tells where things are: every layer that there is, in the order of the list', async () => {
  const page = await readFile(new URL('../../CONTRIBUTING.md', import.meta.url), 'utf8')
  const list = /^src\/ [\s\S]*?(?=^test\/)/m.exec(page)?.[0] ?? ''
  const told = [...list.matchAll(/^ {2}([a-z-]+)(?:\.ts|\/) /gm)].map(([, name]) => name)
  const files = await readdir(new URL('../../src/', import.meta.url))
  const present = new Set(files.map(findLayerOf))
  expect(told).toEqual(layers.filter((layer) => present.has(layer)))
})

/** The layer of a file or a folder of `src`. */
function findLayerOf(name: string): string | undefined {
  return findLayer(name.endsWith('.ts') ? name : `${name}/any.ts`)
}
