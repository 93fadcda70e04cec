import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { builtCli } from './built-cli.ts'

/** How a command ended. */
export interface CliResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** What stands on standard input; default nothing. */
  readonly input?: string
}

/** The command and its arguments as a shell would have them. */
export function cliCommand(args: readonly string[]): string[] {
  return [process.execPath, builtCli(), ...args]
}

/** Starts the command line as a process of its own, without the variables that would configure it. */
export function spawnCli(args: readonly string[], { cwd, env = {} }: CliOptions): ChildProcessWithoutNullStreams {
  const [command = '', ...rest] = cliCommand(args)
  return spawn(command, rest, { cwd, env: { ...inheritedEnvironment(), ...env } })
}

function inheritedEnvironment(): NodeJS.ProcessEnv {
  const configures = /^(HYPERVAULT_(?!PG_BIN)|PG|NO_COLOR|FORCE_COLOR|CI$)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !configures.test(name)))
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const child = spawnCli(args, options)
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { exitCode, stdout, stderr }
}

/** A working folder of its own, gone at the end of the block. */
export async function makeFolder(
  files: Readonly<Record<string, string>> = {},
): Promise<{ path: string } & AsyncDisposable> {
  const path = makeTemporaryFolder('cli')
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(path, name), content)))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
