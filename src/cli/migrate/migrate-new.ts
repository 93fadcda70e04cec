import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { nextId } from '../../schema/migrations/sources/folder.ts'
import { withFile } from '../../transfer/journal/file-error.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { addDirOption, findSource, shortPath, type DirOption } from './migrate-options.ts'

interface NewOptions extends DirOption {
  readonly ts?: boolean
  readonly transaction: boolean
}

const SQL = `-- Unqualified names refer to the shard; next_id() returns a key of the shard:
--   create table note (id bigint primary key default next_id(), text text not null);
`

const TS = `import type { MigrationShard } from 'pg-hypervault'

/** Unqualified names refer to the shard. */
export async function up(shard: MigrationShard): Promise<void> {
  await shard.query('select 1')
}
`

/** `npx pg-hypervault migrate new`: an empty file with the next number. */
export function addMigrateNewCommand(migrate: Command, context: Context): void {
  addDirOption(
    migrate
      .command('new')
      .summary('create an empty migration with the next number')
      .description(
        'Creates a file with the next number in the folder of the migrations, and the folder if it does not exist.',
      )
      .argument('<name>', 'what it does, such as add_email'),
  )
    .option('--ts', 'in TypeScript instead of SQL')
    .option('--no-transaction', 'for statements such as create index concurrently')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault migrate new add_email
  npx pg-hypervault migrate new email_index --no-transaction

With --json: { "file" }.`,
    )
    .action((name: string, options: NewOptions) => runNew(name, options, context))
}

async function runNew(name: string, options: NewOptions, context: Context): Promise<void> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(name)) {
    throw new UsageError(`the name must be letters, digits, _ and -, got ${JSON.stringify(name)}`, 'Such as add_email.')
  }
  const { folder, origin } = await findSource(options, context)
  if (folder === undefined)
    throw new UsageError(`another tool creates the migrations in ${origin}`, 'Create it with that tool.')
  await withFile(folder, () => mkdir(folder, { recursive: true }))
  const file = join(folder, `${await nextId(folder)}_${name}.${options.ts === true ? 'ts' : 'sql'}`)
  await withFile(file, () => writeFile(file, templateOf(options), { flag: 'wx' }))
  if (context.isJson) return context.output.json({ file })
  await context.output.data(shortPath(file, context))
}

function templateOf({ ts = false, transaction }: NewOptions): string {
  const header = transaction ? '' : `${ts ? '//' : '--'} hypervault: no-transaction\n`
  return header + (ts ? TS : SQL)
}
