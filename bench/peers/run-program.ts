import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ServerConnection } from '../../src/testing.ts'

const execute = promisify(execFile)

/** A program of PostgreSQL that may be installed. */
export interface Program {
  readonly path: string
  /** `15.18` */
  readonly version: string
}

/** Finds a program in the folder of HYPERVAULT_PG_BIN or on the path; undefined if it is not installed. */
export async function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): Promise<Program | undefined> {
  const { HYPERVAULT_PG_BIN: folder } = env
  return (folder && (await tryProgram(`${folder}/${name}`))) || (await tryProgram(name))
}

/** Runs a program against a server, and gives what it printed. Rejects with that when it fails. */
export async function runProgram(
  { path }: Program,
  args: readonly string[],
  { host, port, user, password, database }: ServerConnection,
  signal: AbortSignal,
): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', PGPASSWORD: password }
  const target = ['-h', host, '-p', String(port), '-U', user]
  const { stdout } = await execute(path, [...target, ...args, database], { env, signal })
  return stdout
}

async function tryProgram(path: string): Promise<Program | undefined> {
  try {
    const { stdout } = await execute(path, ['--version'], { env: { ...process.env, LC_ALL: 'C' } })
    return { path, version: /\d+(\.\d+)*/.exec(stdout)?.[0] ?? stdout.trim() }
  } catch {
    return undefined
  }
}
