import type { Command } from 'commander'
import { isHypervaultError, type HypervaultError } from '../../errors.ts'
import { labelOf } from '../../schema/migrations/migration.ts'
import type { MigrationStatus, ServerMigrationStatus, ShardMigrationStatus } from '../../schema/migrations/status.ts'
import type { PlacedFailure } from '../../topology/like-failures.ts'
import type { Context } from '../context.ts'
import { formatCount, formatShards } from '../terminal/amounts.ts'
import { tellFailures } from '../terminal/failure-lines.ts'
import { formatGrid } from '../terminal/shard-grid.ts'
import { formatTable, type Column } from '../terminal/table.ts'
import { addDirOption, findSource, type DirOption } from './migrate-options.ts'

interface StatusOptions extends DirOption {
  readonly require?: string
}

/** `npx pg-hypervault migrate status`: how all shards stand. */
export function addMigrateStatusCommand(migrate: Command, context: Context): void {
  addDirOption(
    migrate
      .command('status')
      .summary('print which migrations have run where')
      .description(
        'Prints in how many shards each migration has run, and a grid of the shards by version. With --require, only checks whether a migration has run in every shard: exit code 0 if so, otherwise 1.',
      ),
  )
    .option('--require <id>', 'a migration such as 0042; needs no files')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault migrate status
  npx pg-hypervault migrate status --require 0042 && ./deploy

With --json: { "migrations": [{ "id", "name", "isBreaking", "shards" }], "servers": [{ "serverId", "problem",
"shards": [{ "shardId", "version", "pending", "problems" }] }] }; with --require { "required", "ok", "behind",
"unreachable" }.`,
    )
    .action((options: StatusOptions) =>
      options.require === undefined ? runStatus(options, context) : runRequire(options.require, context),
    )
}

async function runRequire(required: string, context: Context): Promise<void> {
  try {
    await context.withDatastore((db) => db.migrations.assertAt(required))
    if (context.isJson) return await context.output.json({ required, ok: true, behind: [], unreachable: [] })
    context.output.talk(`Migration ${required} has run in every shard.`)
  } catch (error) {
    if (!isHypervaultError(error, 'HV_MIGRATION_BEHIND')) throw error
    await tellBehind(error, context)
  }
}

async function tellBehind(error: HypervaultError<'HV_MIGRATION_BEHIND'>, context: Context): Promise<void> {
  context.exitCode = 1
  const { output } = context
  if (context.isJson) await output.json({ ...error.details, ok: false })
  for (const { serverId, shardIds } of error.details.behind) {
    output.talk(`${serverId}: it has not run in ${formatShards(shardIds)}`)
  }
  output.problem(error.message, error.hint)
}

async function runStatus(options: StatusOptions, context: Context): Promise<void> {
  const migrations = await findSource(options, context)
  const status = await context.withDatastore((db) => db.migrations.status({ migrations }))
  if (status.servers.some(({ problem }) => problem !== undefined)) context.exitCode = 1
  if (context.isJson) return context.output.json(status)
  if (status.servers.length === 0)
    return context.output.talk('The catalog has no servers yet: npx pg-hypervault server add')
  await printTable(status, context)
  const signs = signsOf(status)
  for (const server of status.servers) await printServer(server, signs, context)
  tellFailures(status.servers.flatMap(problemsOf), context.output)
  await context.output.data(`\n${[...signs].map(([version, sign]) => `${sign} ${version}`).join('   ')}`)
}

function printTable({ migrations, servers }: MigrationStatus, { output }: Context): Promise<void> {
  const heads = ['shards', ...servers.map(({ serverId }) => serverId)]
  const columns: Column[] = heads.map((head) => ({ head, align: 'right' }))
  const total = servers.reduce((sum, { shards }) => sum + shards.length, 0)
  const rows = migrations.map((migration, index) => [
    labelOf(migration),
    `${formatCount(migration.shards)}/${formatCount(total)}`,
    ...servers.map((server) =>
      server.problem === undefined ? formatCount(countPast(server, migrations, index)) : '?',
    ),
    migration.isBreaking ? 'breaking' : '',
  ])
  const named: Column = { head: 'migration', align: 'left' }
  return output.data(formatTable([named, ...columns, { head: '', align: 'left' }], rows))
}

/** Shards of a server that have had a migration: its version is that one, or one that comes after it. */
function countPast(
  { shards }: ServerMigrationStatus,
  migrations: MigrationStatus['migrations'],
  index: number,
): number {
  const past = new Set(migrations.slice(index).map(labelOf))
  return shards.filter(({ version }) => version !== undefined && past.has(version)).length
}

const NONE = 'none'
const PROBLEM = 'see below'
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

/** The sign of each version that there is: the newest a full block, the others letters from the newest on. */
function signsOf({ migrations, servers }: MigrationStatus): Map<string, string> {
  const found = new Set(servers.flatMap(({ shards }) => shards.map(versionOf)))
  const newest = migrations.at(-1)
  const older = migrations
    .slice(0, -1)
    .map(labelOf)
    .reverse()
    .filter((label) => found.has(label))
  const signs = new Map(older.map((label, index) => [label, LETTERS[index] ?? '+']))
  const all: [string, string][] = [
    [newest === undefined ? NONE : labelOf(newest), '█'],
    ...signs,
    [NONE, '·'],
    [PROBLEM, '!'],
  ]
  return new Map(all.filter(([label]) => found.has(label)))
}

function versionOf({ version, problems }: ShardMigrationStatus): string {
  return problems.length > 0 ? PROBLEM : (version ?? NONE)
}

async function printServer(
  { serverId, problem, shards }: ServerMigrationStatus,
  signs: ReadonlyMap<string, string>,
  { output }: Context,
): Promise<void> {
  if (problem !== undefined) return
  const cells = shards.map((shard) => ({ shardId: shard.shardId, sign: signs.get(versionOf(shard)) ?? '?' }))
  await output.data(`\n${[serverId, ...formatGrid(cells)].join('\n')}`)
}

function problemsOf({ serverId, problem, shards }: ServerMigrationStatus): PlacedFailure[] {
  const own = problem === undefined ? [] : [{ serverId, message: problem }]
  const ofShards = shards.flatMap(({ shardId, problems }) =>
    problems.map((message) => ({ serverId, shardId, message })),
  )
  return [...own, ...ofShards]
}
