import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import type { MigratePlanOptions } from '../../schema/migrations/options.ts'
import { fromFolder } from '../../schema/migrations/sources/folder.ts'
import type { MigrationSource } from '../../schema/migrations/sources/migration-source.ts'
import { resolveSource } from '../../schema/migrations/sources/resolve-source.ts'
import { parseShards } from '../arguments/shards.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'

/** The option that all subcommands take. */
export interface DirOption {
  readonly dir?: string
}

/** Options of what is planned, as commander gives them. */
export interface ScopeOptions extends DirOption {
  readonly to?: string
  readonly shards?: string
  readonly canary?: string | false
  readonly breaking?: boolean
}

const HINT = 'Add --dir ./migrations, or put { "migrations": "./migrations" } into the configuration.'

/** Adds the option that names the folder. */
export function addDirOption(command: Command): Command {
  return command.option('--dir <folder>', 'folder of the migrations (default: "migrations" in the configuration)')
}

/** Adds the options that say what is planned. */
export function addScopeOptions(command: Command): Command {
  return addDirOption(command)
    .option('--to <id>', 'the last migration to run, such as 0042')
    .option('--shards <list>', "only these shards, such as '17' or '1-9,20'; the end of a range is not included")
    .option('--canary <list>', 'the shards to start with, as in --shards (default: the first one)')
    .option('--no-canary', 'run without a canary')
    .option('--breaking', 'also run breaking migrations, which are otherwise held back')
}

/** What commander gives, as the library takes it. Throws a {@link UsageError}. */
export function readScope({ to, shards, canary, breaking }: ScopeOptions): MigratePlanOptions {
  return {
    ...(to !== undefined && { to }),
    ...(shards !== undefined && { shardIds: parseShards('--shards', shards) }),
    ...(typeof canary === 'string' && { canary: parseShards('--canary', canary) }),
    ...(canary === false && { canary: [] }),
    ...(breaking === true && { breaking }),
  }
}

/** The migrations that `--dir` or the configuration names. Throws a {@link UsageError} when there are none. */
export async function findSource({ dir }: DirOption, context: Context): Promise<MigrationSource> {
  if (dir !== undefined) return fromFolder(resolve(context.cwd, dir))
  const { options } = await context.loadConfig()
  const source = resolveSource(options.migrations)
  if (source === undefined) throw new UsageError('no migrations are configured', HINT)
  return source
}

/** A file or folder as a person at this folder would type it. */
export function shortPath(path: string, { cwd }: Context): string {
  const short = relative(cwd, path)
  return short.startsWith('..') ? path : short
}
