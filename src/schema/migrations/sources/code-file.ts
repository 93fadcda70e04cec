import { join } from 'node:path'
import { describeLoadFailure } from '../../load-failure.ts'
import { loadModule } from '../../load-module.ts'
import { readHeader } from '../header.ts'
import type { CodeMigration, MigrationCode } from '../migration.ts'
import { migrationInvalid } from '../migration-error.ts'
import { checksumOf } from '../sql-migration.ts'
import { readText } from './migration-files.ts'

/** Endings of files that hold a program. */
export const CODE_FILE = /(?<!\.d)\.(?:ts|mts|js|mjs)$/

/** A file with a migration written as a program. */
export interface CodeFile {
  readonly id: string
  readonly name: string
  readonly folder: string
  readonly file: string
}

/** What the `up` of a file is run with; default it is given the shard itself. */
export type RunUp = (up: (argument: never) => unknown, ...args: Parameters<MigrationCode>) => Promise<void>

/** Reads a migration that exports `up`; the program itself is read when it is needed. */
export async function readCodeFile({ id, name, folder, file }: CodeFile, run: RunUp): Promise<CodeMigration> {
  const text = await readText(folder, file)
  const origin = join(folder, file)
  const load = async (): Promise<MigrationCode> => {
    const up = await loadUp(origin)
    return (shard) => run(async (argument) => assertRan(await up(argument)), shard)
  }
  return Object.freeze({ kind: 'code', id, name, checksum: checksumOf(text), ...readHeader(text, origin), load })
}

async function loadUp(origin: string): Promise<(argument: never) => unknown> {
  const up = await tryLoad(origin)
  if (typeof up === 'function') return up as (argument: never) => unknown
  throw migrationInvalid(origin, 'it must export a function up')
}

async function tryLoad(origin: string): Promise<unknown> {
  try {
    return ((await loadModule(origin)) as { up?: unknown }).up
  } catch (error) {
    const { problem, hint } = describeLoadFailure(error)
    throw migrationInvalid(origin, problem, error, hint)
  }
}

/** A generator does nothing until somebody goes through it, and a function that is returned until it is called. */
function assertRan(result: unknown): void {
  const isGenerator = typeof (Object(result) as { next?: unknown }).next === 'function'
  if (!isGenerator && typeof result !== 'function') return
  const what = isGenerator ? 'is a generator' : 'returns a function'
  throw new Error(
    `the up of a migration ${what}, which nobody runs: make it an async function that awaits its statements`,
  )
}
