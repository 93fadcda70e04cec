import type { ClientConfig } from 'pg'
import { createDatabases, type TestDatabases } from '../support/databases.ts'
import { makeFolder, runCli, type CliResult } from './run-cli.ts'

/** A working folder whose configuration names fresh databases. */
export interface TestFolder extends AsyncDisposable {
  readonly path: string
  readonly connections: readonly ClientConfig[]
  run(...args: string[]): Promise<CliResult>
}

/** Makes databases, one for each range of shards, and a folder with their configuration. */
export async function makeTestFolder(...ranges: string[]): Promise<TestFolder> {
  const databases: TestDatabases = await createDatabases(ranges.length)
  const connections = databases.connections.map((connection, index) => ({ ...connection, shards: ranges[index] }))
  const folder = await makeFolder({ 'hypervault.config.json': JSON.stringify({ connections }) })
  return {
    path: folder.path,
    connections: databases.connections,
    run: (...args) => runCli(args, { cwd: folder.path }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([folder[Symbol.asyncDispose](), databases.drop()])
    },
  }
}

/** What a command printed on standard output: exactly one JSON document. */
export function parseDocument<T>({ stdout }: CliResult): T {
  return JSON.parse(stdout) as T
}
