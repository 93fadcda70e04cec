import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { expect, it } from 'vitest'
import { provision } from '../../src/index.ts'
import { cliCommand } from '../cli/run-cli.ts'
import { makeTestFolder } from '../cli/test-folder.ts'
import { entriesOf } from '../schema/servers.ts'
import { blocksOf, root } from './run-page.ts'

const page = new URL('docs/guide/import-export.md', root)

/** A command, and what the page says that it prints. */
interface Example {
  readonly command: string
  readonly printed: string
}

function examplesOf(block: string): Example[] {
  const parts = block.split(/^(?=[^#\n])/m)
  return parts.map((part) => {
    const [command = '', ...others] = part.trim().split('\n')
    return { command, printed: others.map((line) => line.replace(/^# ?/, '')).join('\n') }
  })
}

/** What a shell prints for a command, whatever its exit code. */
function runInShell(command: string, cwd: string): Promise<string> {
  const env = { ...process.env, PATH: `${cwd}${delimiter}${process.env.PATH}` }
  return new Promise((resolve) => execFile('sh', ['-c', command], { cwd, env }, (_error, stdout) => resolve(stdout)))
}

it('the commands of the page about files print what it says', { timeout: 120_000 }, async () => {
  await using folder = await makeTestFolder('1-5', '5-9')
  await provision(entriesOf(folder, '1-5', '5-9'))
  const [csv = ''] = await blocksOf(page, 'csv')
  const starter = join(folder.path, 'npx')
  await writeFile(join(folder.path, 'cities.csv'), csv)
  await writeFile(starter, `#!/bin/sh\nshift\nexec ${cliCommand([]).join(' ')} "$@"\n`)
  await chmod(starter, 0o755)
  const examples = (await blocksOf(page, 'sh')).flatMap(examplesOf)
  expect(examples.length).toBeGreaterThanOrEqual(5)
  for (const { command, printed } of examples) {
    expect(`${command}\n${(await runInShell(command, folder.path)).trim()}`).toBe(`${command}\n${printed}`)
  }
})
