import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createDatabases } from '../support/databases.ts'

const fixture = fileURLToPath(new URL('fixtures/listen-and-close.ts', import.meta.url))

it('closing is waited for, although listening alone does not keep Node.js running', async () => {
  await using databases = await createDatabases(1)
  const args = ['--import', import.meta.resolve('tsx'), fixture, JSON.stringify(databases.connections[0])]
  // A promise that nothing can settle any more ends Node.js with the exit code 13.
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(stdout).toBe('closed')
})
