import type { Command } from 'commander'
import type { Datastore } from '../../datastore/datastore.ts'
import { isHypervaultError, type HypervaultError } from '../../errors.ts'
import { checkDefinition, casts, type IndexDefinition } from '../../schema/indexes/index-definition.ts'
import type { IndexOptions } from '../../schema/indexes/index-options.ts'
import type { IndexReport } from '../../schema/indexes/shard-indexes.ts'
import { parseInteger } from '../arguments/numbers.ts'
import { checkUsage, UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { formatCount, formatShards } from '../terminal/amounts.ts'
import { confirm, type DryRunOption, type YesOption } from '../terminal/confirm.ts'
import { tellFailures as tellLines } from '../terminal/failure-lines.ts'
import { ProgressSum } from '../terminal/progress-sum.ts'
import { Progress } from '../terminal/progress.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { printIndexes, printIndexReport, type IndexVerb } from './index-report.ts'

/** Options of `index create`, as commander gives them. */
interface CreateOptions extends DryRunOption {
  readonly body?: boolean
  readonly kind?: string
  readonly cast?: string
  readonly unique?: boolean
}

/** Work on an index in all shards. */
type IndexWork = (db: Datastore, options: IndexOptions) => Promise<IndexReport>

/** `npx pg-hypervault index`: the indexes of the entities, the same in all shards. */
export function addIndexCommand(program: Command, context: Context): void {
  const index = program
    .command('index')
    .summary('list, create and drop indexes of the entities in all shards')
    .description('Manages the indexes of the entities, the same in all shards, without blocking reads and writes.')
  addListCommand(index, context)
  addCreateCommand(index, context)
  addDropCommand(index, context)
}

function addListCommand(index: Command, context: Context): void {
  index
    .command('list')
    .summary('print the indexes')
    .description(
      'Prints the indexes of the entities, how many shards have each, and in which shards it is missing or invalid.',
    )
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault index list
  npx pg-hypervault index list --json | jq -r '.indexes[] | select(.missing | length > 0) | .name'

With --json: { "indexes": [{ "name", "definition", "isUnique", "bytes", "shards", "invalid", "missing" }] }.`,
    )
    .action(() =>
      context.withDatastore(async (db) => printIndexes(await db.indexes.list(), db.topology.shardIds.length, context)),
    )
}

function addCreateCommand(index: Command, context: Context): void {
  index
    .command('create')
    .summary('create an index in all shards')
    .description(
      'Creates an index in every shard. Safe to repeat, and to stop at any point: shards that have the index are skipped, and indexes that a failed run left invalid are created again. Exit code 4 if some shards failed.',
    )
    .argument('[field]', 'key of the body, for finding by its value')
    .option('--body', 'index the whole body instead, for finding by the presence of keys and pairs')
    .option('--kind <kind>', 'index only entities of this kind')
    .option('--cast <type>', `index the value as ${casts.join(', ')}`)
    .option('--unique', 'no two entities of a shard may have the same value')
    .option('--dry-run', 'print in how many shards it would be created, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault index create email --kind 1 --unique
  npx pg-hypervault index create --body

With --json: { "name", "servers": [{ "serverId", "created", "repaired", "dropped", "unchanged" }] }, each a list of shards;
if shards failed: { "name", "failures": [{ "serverId", "shardId", "code", "sqlstate", "message" }], "completed" }.`,
    )
    .action((field: string | undefined, options: CreateOptions) => {
      const definition = readDefinition(field, options)
      if (options.dryRun === true) return tellWouldBe('create', checkDefinition(definition).name, context)
      return runWork('create', context, (db, settings) => db.createIndex(definition, settings))
    })
}

function addDropCommand(index: Command, context: Context): void {
  index
    .command('drop')
    .summary('drop an index in all shards')
    .description('Drops an index in every shard that has it. Safe to repeat. Exit code 4 if some shards failed.')
    .argument('<name>', 'name of the index, as npx pg-hypervault index list prints it')
    .option('--dry-run', 'print in how many shards it would be dropped, and change nothing')
    .option('--yes', 'do not ask for confirmation; required without a terminal')
    .addHelpText(
      'after',
      `
Example:
  npx pg-hypervault index drop hv_index_email_0123456789ab

With --json: the same as npx pg-hypervault index create.`,
    )
    .action((name: string, options: DryRunOption & YesOption) => runDrop(name, options, context))
}

async function runDrop(name: string, options: DryRunOption & YesOption, context: Context): Promise<void> {
  if (options.dryRun === true) return tellWouldBe('drop', name, context)
  if (!(await confirm(`Index ${name} is dropped in all shards`, options, context))) return
  await runWork('drop', context, (db, settings) => db.indexes.drop(name, settings))
}

/** Says where an index is now, and what would become of it. */
async function tellWouldBe(verb: IndexVerb, name: string, context: Context): Promise<void> {
  await context.withDatastore(async (db) => {
    const found = (await db.indexes.list()).find((index) => index.name === name)
    const all = db.topology.shardIds.length
    const [valid, invalid] = [found?.shards.length ?? 0, found?.invalid.length ?? 0]
    const count = verb === 'drop' ? valid + invalid : all - valid
    if (context.isJson) return context.output.json({ name, shards: count })
    const done = verb === 'drop' ? 'dropped' : 'created'
    context.output.talk(
      `${name} would be ${done} in ${formatCount(count)} of ${formatCount(all)} shards. Nothing was changed.`,
    )
  })
}

function readDefinition(field: string | undefined, { body, kind, cast, unique }: CreateOptions): IndexDefinition {
  if ((field === undefined) === (body === undefined)) {
    throw new UsageError('give either a field or --body', 'For example: npx pg-hypervault index create email')
  }
  const definition = {
    on: field === undefined ? 'body' : { field },
    ...(kind !== undefined && { kind: parseInteger('--kind', kind) }),
    ...(cast !== undefined && { cast }),
    ...(unique === true && { unique }),
  }
  checkUsage(() => checkDefinition(definition))
  return definition as IndexDefinition
}

async function runWork(verb: IndexVerb, context: Context, work: IndexWork): Promise<void> {
  using stop = new StopRequest(context.signals, context.output.closed)
  try {
    const report = await context.withDatastore(
      (db) => workWithProgress(`index ${verb}`, db, stop.signal, context, work),
      stop.signal,
    )
    await printIndexReport(report, verb, context)
  } catch (error) {
    if (stop.signal.aborted && error === stop.signal.reason) return tellStopped(verb, context)
    if (!isHypervaultError(error, 'HV_INDEX_FAILED')) throw error
    await tellFailures(error, context)
  }
}

async function workWithProgress(
  title: string,
  db: Datastore,
  signal: AbortSignal,
  { output }: Context,
  work: IndexWork,
): Promise<IndexReport> {
  using progress = new Progress(output, { title, unit: 'shards', total: db.topology.shardIds.length })
  const sum = new ProgressSum(progress)
  return await work(db, { signal, onProgress: (event) => sum.add(event) })
}

function tellStopped(verb: IndexVerb, context: Context): void {
  context.exitCode = 1
  context.output.problem(
    'stopped before the end',
    `Finished shards are kept. To continue, run the same npx pg-hypervault index ${verb} again.`,
  )
}

/** Some shards failed: 4, and the others are done. All of them failed: 1. */
async function tellFailures(error: HypervaultError<'HV_INDEX_FAILED'>, context: Context): Promise<void> {
  const { name, failures, completed } = error.details
  const { output } = context
  context.exitCode = completed.length > 0 ? 4 : 1
  if (context.isJson) {
    const shown = failures.map((failure) => ({ ...failure, message: output.redactor.redact(failure.message) }))
    await output.json({ name, failures: shown, completed })
  }
  tellLines(failures, output, `${name}: `)
  const done = completed.length > 0 ? ` (${formatShards(completed)})` : ''
  output.talk(`${formatCount(completed.length)} shards are done${done}. ${error.hint}`)
}
