import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Context } from '../../src/cli/context.ts'
import { createProgram } from '../../src/cli/program.ts'
import { parseConnections } from '../../src/topology/connection-entry.ts'
import { Topology } from '../../src/topology/topology.ts'
import { createDatabases } from '../support/databases.ts'
import { blocksOf, root, runPage } from './run-page.ts'

const readme = new URL('README.md', root)

it('does what the program of the README says', () => runPage(readme, 3))

it('is short: under 900 words', async () => {
  expect((await readFile(readme, 'utf8')).split(/\s+/).filter(Boolean).length).toBeLessThan(900)
})

it('finds the same shard in SQL as shardFor does', async () => {
  const [sql] = await blocksOf(new URL('docs/guide/how-many-shards.md', root), 'sql')
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

it('names every command of the command line', async () => {
  const commands = createProgram(new Context(process)).commands.map((command) => command.name())
  const text = await readFile(readme, 'utf8')
  const row = /^\| type at the command line \|(.*)$/m.exec(text)?.[1] ?? ''
  const named = [...row.matchAll(/`(?:npx pg-hypervault )?([a-z]+)`/g)].map((match) => match[1])
  expect(named).toEqual(commands.filter((name) => name !== 'help'))
})

it('names the command as npx finds it wherever it is printed or documented', async () => {
  const commands = createProgram(new Context(process)).commands.map((command) => command.name())
  const unfit = new RegExp(`(?<!npx pg-)(?<![\\w/.@])hypervault (?:${commands.join('|')})\\b`)
  const folders = ['src/', 'docs/', 'examples/'].map((folder) => fileURLToPath(new URL(folder, root)))
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  const pages = [fileURLToPath(readme), ...files.filter((file) => /\.(?:ts|md)$/.test(file))]
  const lines = pages.flatMap((file) => readFileSync(file, 'utf8').split('\n'))
  expect(lines.filter((line) => unfit.test(line) || /npx hypervault/.test(line))).toEqual([])
  const { bin } = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as { bin: Record<string, string> }
  expect(bin['pg-hypervault']).toBe(bin['hypervault'])
})
