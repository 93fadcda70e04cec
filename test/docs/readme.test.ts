import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client } from 'pg'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseConnections } from '../../src/topology/connection-entry.ts'
import { Topology } from '../../src/topology/topology.ts'
import { createDatabases } from '../support/databases.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'

const root = new URL('../../', import.meta.url)

async function blocksOf(language: string): Promise<string[]> {
  const readme = await readFile(new URL('README.md', root), 'utf8')
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '')
}

/** Makes a test of the tour: a line with an arrow becomes a comparison. */
function asTest(tour: string): { code: string; comparisons: number } {
  let comparisons = 0
  const code = tour
    .replace(/^(.+?) \/\/ => (.+)$/gm, (_line, expression: string, expected: string) => {
      comparisons += 1
      return `expect(${expression}).toEqual(${expected})`
    })
    .replace(`'pg-hypervault/testing'`, `'${new URL('src/testing.ts', root).href}'`)
    .replace(`'pg-hypervault'`, `'${new URL('src/index.ts', root).href}'`)
  return { code: `import { expect } from 'vitest'\n${code}`, comparisons }
}

it('does what the tour of the README says', { timeout: 60_000 }, async () => {
  const { code, comparisons } = asTest((await blocksOf('ts')).join('\n'))
  expect(comparisons).toBeGreaterThan(10)
  const folder = makeTemporaryFolder('tour', new URL('test/docs', root).pathname)
  try {
    const file = join(folder, 'tour.ts')
    await writeFile(file, code)
    await import(pathToFileURL(file).href)
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('finds the same shard in SQL as shardFor does', async () => {
  const [sql] = await blocksOf('sql')
  const topology = new Topology(parseConnections([{ shards: '1-17' }]))
  await using databases = await createDatabases(1)
  const client = new Client(databases.connections[0])
  await client.connect()
  const text = fc
    .string({ unit: 'binary', maxLength: 40 })
    .filter((value) => value.isWellFormed() && !value.includes('\0'))
  await fc.assert(
    fc.asyncProperty(text, async (value) => {
      const { rows } = await client.query({ text: sql ?? '', values: [value], rowMode: 'array' })
      expect(rows).toEqual([[topology.shardFor(value)]])
    }),
    { numRuns: 300 },
  )
  await client.end()
})
