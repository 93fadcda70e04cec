import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inRoot } from '../../scripts/house/repository.ts'
import { runTool } from '../../scripts/house/run-tool.ts'

/** What each program prints, without the order of what is made within the same millisecond. */
const outputs: Readonly<Record<string, readonly string[]>> = {
  'backfill.ts': [
    'the first run changed 300, and was stopped',
    'the second run changed 700',
    '1000 of 1000 have a slug',
  ],
  'photo-feed.ts': [
    'newest',
    '  ken: the same cat (0 likes)',
    '  grace: rain (0 likes)',
    '  ada: a cat (2 likes)',
    '  ken: the long way home (0 likes)',
    'then',
    '  grace: coffee (0 likes)',
    '  ada: sunrise (0 likes)',
  ],
  'tenants.ts': ['invoice in shard of acme; Error: globex: main cannot pay 130', 'acme: 70', 'globex: 100'],
}

test('each example is known here', () => {
  expect(readdirSync(inRoot('examples')).sort()).toEqual(Object.keys(outputs).sort())
})

test.each(Object.entries(outputs))('%s does what it is there to show', { timeout: 120_000 }, async (file, lines) => {
  const { exitCode, output } = await runTool(process.execPath, ['--import', 'tsx', inRoot('examples', file)])
  expect({ exitCode, lines: output.trimEnd().split('\n').sort() }).toEqual({ exitCode: 0, lines: [...lines].sort() })
})
