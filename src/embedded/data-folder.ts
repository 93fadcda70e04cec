import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GatedProcess } from './gated-process.ts'
import type { Runtime } from './runtime-folder.ts'
import type { ServerFolder } from './server-folder.ts'
import { describeStartFailure } from './start-failure.ts'

const initTimeoutMs = 120_000

/** What a new data folder is made with. */
export interface DataFolderOptions {
  readonly user: string
  readonly password: string
  /** Lines of postgresql.conf. */
  readonly settings: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes the data folder with initdb: UTF-8, the locale C, one user with a password.
 *
 * @throws HypervaultError HV_EMBEDDED_START_FAILED; an aborted wait kills initdb and rejects with the signal's reason
 */
export async function createDataFolder(
  folder: ServerFolder,
  runtime: Runtime,
  options: DataFolderOptions,
): Promise<void> {
  const passwordFile = folder.writePrivateFile('password', options.password)
  await runInitdb(folder, runtime, [`--username=${options.user}`, `--pwfile=${passwordFile}`], options.signal)
  await rm(passwordFile)
  await appendFile(join(folder.dataFolder, 'postgresql.conf'), options.settings)
}

const initdbArgs = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'] as const

async function runInitdb(
  folder: ServerFolder,
  { version, binFolder }: Runtime,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const allArgs = [`--pgdata=${folder.dataFolder}`, ...initdbArgs, ...args]
  const initdb = new GatedProcess({ ...folder.program(join(binFolder, 'initdb'), allArgs), watchAs: 'group' })
  const hasExited = await waitForInitdb(initdb, signal)
  const exitCode = hasExited ? await initdb.exited : null
  if (exitCode === 0) return
  throw await describeStartFailure('initdb failed', { version, exitCode, logFile: folder.logFile })
}

async function waitForInitdb(initdb: GatedProcess, signal: AbortSignal | undefined): Promise<boolean> {
  const kill = (): void => initdb.killGroup()
  signal?.addEventListener('abort', kill, { once: true })
  try {
    const hasExited = await initdb.waitForExit(initTimeoutMs)
    signal?.throwIfAborted()
    if (!hasExited) kill()
    return hasExited
  } finally {
    signal?.removeEventListener('abort', kill)
  }
}
