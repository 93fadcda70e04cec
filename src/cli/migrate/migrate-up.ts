import type { Command } from 'commander'
import { isHypervaultError, type HypervaultError } from '../../errors.ts'
import { labelOf } from '../../schema/migrations/migration.ts'
import type { MigrateOptions } from '../../schema/migrations/options.ts'
import type { MigrationReport } from '../../schema/migrations/run/migration-run.ts'
import { parseWhole } from '../arguments/numbers.ts'
import { withUsageCheck } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'
import type { DryRunOption } from '../terminal/confirm.ts'
import { tellFailures as tellLines } from '../terminal/failure-lines.ts'
import { oneLine } from '../terminal/failure.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { formatTable } from '../terminal/table.ts'
import { addScopeOptions, findSource, readScope, type ScopeOptions } from './migrate-options.ts'
import { describeHeld, runMigratePlan } from './migrate-plan.ts'
import { MigrateProgress } from './migrate-progress.ts'

/** Options of `migrate up`, as commander gives them. */
interface UpOptions extends ScopeOptions, DryRunOption {
  readonly perServer?: string
  readonly lockTimeout?: string
  readonly lockBudget?: string
  readonly maxFailures?: string
}

/** Options that are numbers, and what the library calls them. */
const numbers = {
  perServer: ['--per-server', 'connectionsPerServer'],
  lockTimeout: ['--lock-timeout', 'lockTimeoutMs'],
  lockBudget: ['--lock-budget', 'lockBudgetMs'],
  maxFailures: ['--max-failures', 'maxFailures'],
} as const

/** More would make a command that nobody can read: the same one without them does the same. */
const MAX_TYPED_SHARDS = 20

/** `npx pg-hypervault migrate up`: runs what is left to run. */
export function addMigrateUpCommand(migrate: Command, context: Context): void {
  addScopeOptions(
    migrate
      .command('up')
      .summary('run the pending migrations in every shard')
      .description(
        'Runs the pending migrations in every shard: first in a canary, then wave by wave, while the application is running. Safe to repeat, and to stop at any point: Ctrl-C finishes the shards in progress, and the same command continues. Exit code 4 if some shards failed.',
      ),
  )
    .option('--dry-run', 'print what would run where, like npx pg-hypervault migrate plan, and change nothing')
    .option('--per-server <count>', 'connections that work in parallel on one server (default: 2)')
    .option('--lock-timeout <ms>', 'longest wait for a lock; other sessions queue behind it meanwhile (default: 100)')
    .option('--lock-budget <ms>', 'how long to retry a shard that is blocked by locks (default: 60000)')
    .option('--max-failures <count>', 'number of failed shards after which the run stops (default: 10)')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault migrate up
  npx pg-hypervault migrate up --to 0042 --canary 17

With --json: { "migrations": [{ "id", "name", "shardIds" }], "held": [{ "id", "name" }] }; if shards failed { "failures":
[{ "serverId", "shardId", "migration", "code", "sqlstate", "message" }], "completed", "left", "stopped", "next" }.`,
    )
    .action((options: UpOptions, command: Command) => runUp(options, command, context))
}

async function runUp(options: UpOptions, command: Command, context: Context): Promise<void> {
  if (options.dryRun === true) return runMigratePlan(options, context)
  using stop = new StopRequest(context.signals, context.output.closed)
  const settings = { ...readScope(options), ...readNumbers(options), signal: stop.signal }
  try {
    const migrations = await findSource(options, context)
    const report = await upWithProgress({ ...settings, migrations }, context)
    await printReport(report, context)
  } catch (error) {
    if (stop.signal.aborted && error === stop.signal.reason) return tellStopped(command, context)
    if (!isHypervaultError(error, 'HV_MIGRATION_FAILED')) throw error
    await tellFailures(error, command, context)
  }
}

async function upWithProgress(options: MigrateOptions, context: Context): Promise<MigrationReport> {
  using progress = new MigrateProgress(context.output, 'migrate up')
  return await context.withDatastore(
    (db) => withUsageCheck(() => db.migrations.up({ ...options, onProgress: (event) => progress.update(event) })),
    options.signal,
  )
}

function readNumbers(options: UpOptions): MigrateOptions {
  const entries = Object.entries(numbers) as [keyof typeof numbers, (typeof numbers)[keyof typeof numbers]][]
  return Object.fromEntries(
    entries.flatMap(([name, [flag, option]]) => {
      const text = options[name]
      if (text === undefined) return []
      return [[option, parseWhole(flag, text, { min: 0 })]]
    }),
  )
}

async function printReport({ migrations, held }: MigrationReport, context: Context): Promise<void> {
  const { output } = context
  if (context.isJson) return output.json({ migrations, held })
  if (migrations.length === 0) output.talk('No migrations were left to run.')
  const columns = [
    { head: 'migration', align: 'left' },
    { head: 'shards', align: 'right' },
  ] as const
  const rows = migrations.map((migration) => [labelOf(migration), formatCount(migration.shardIds.length)])
  if (rows.length > 0) await output.data(formatTable(columns, rows))
  if (held.length > 0) output.talk(describeHeld(held.map(labelOf)))
}

function tellStopped(command: Command, context: Context): void {
  context.exitCode = 1
  context.output.problem(
    'stopped before the end',
    `Migrations that have run are kept. To continue, run: ${nextCommand(command, [])}`,
  )
}

/** Some shards failed: 4, and the others are done. All of them failed: 1. */
async function tellFailures(
  { details }: HypervaultError<'HV_MIGRATION_FAILED'>,
  command: Command,
  context: Context,
): Promise<void> {
  const { output } = context
  const { completed, left, stopped } = details
  const failures = details.failures.map((each) => ({ ...each, message: output.redactor.redact(oneLine(each.message)) }))
  const failed = failures.flatMap(({ shardId }) => shardId ?? [])
  const next = nextCommand(command, completed.length > 0 ? [...failed, ...left] : [])
  context.exitCode = completed.length > 0 ? 4 : 1
  if (context.isJson) await output.json({ ...details, failures, next })
  tellLines(
    failures.map((failure) => ({ ...failure, subject: failure.migration })),
    output,
  )
  if (stopped !== undefined) output.problem(`the run stopped: ${stopped}`)
  const counts = [`${formatCount(completed.length)} shards are done`, `${formatCount(failed.length)} failed`]
  output.talk([...counts, ...(left.length > 0 ? [`${formatCount(left.length)} are left`] : [])].join(', '))
  output.talk(`Fix the causes, then run: ${next}`)
}

/** The command that goes on with these shards, with the options that were given; connections may hold a password. */
function nextCommand(command: Command, shardIds: readonly number[]): string {
  const given = command.optsWithGlobals<Record<string, unknown>>()
  const option = (flag: string, value: unknown): string[] =>
    typeof value === 'string' ? [`${flag} ${quote(value)}`] : []
  const isFew = shardIds.length > 0 && shardIds.length <= MAX_TYPED_SHARDS
  const shards = isFew ? [...shardIds].sort((a, b) => a - b).join(',') : given.shards
  return [
    'npx pg-hypervault migrate up',
    ...option('--config', given.config),
    ...option('--dir', given.dir),
    ...option('--to', given.to),
    ...(given.breaking === true ? ['--breaking'] : []),
    ...option('--shards', shards),
  ].join(' ')
}

function quote(text: string): string {
  return /^[\w./,:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
