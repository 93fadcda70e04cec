import type { Command } from 'commander'
import type { DriftOptions } from '../../schema/drift/drift-options.ts'
import type { DriftReport } from '../../schema/drift/drift-report.ts'
import { parseShard } from '../arguments/shards.ts'
import type { Context } from '../context.ts'
import { ProgressSum } from '../terminal/progress-sum.ts'
import { Progress } from '../terminal/progress.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { printDrift } from './drift-text.ts'

interface VerifyOptions {
  readonly reference?: string
  readonly fix?: boolean
}

/** `npx pg-hypervault migrate verify`: whether all shards are made of the same. */
export function addMigrateVerifyCommand(migrate: Command, context: Context): void {
  migrate
    .command('verify')
    .summary('compare the definitions of all shards')
    .description(
      'Compares the schemas of all shards in everything that pg_dump would write, from columns and constraints to policies, owners, grants and comments. Prints how the other shards differ from the largest group of equal shards. Needs no files, and changes nothing without --fix. Exit code 0 if all shards have the same definition, otherwise 1.',
    )
    .option('--reference <shard>', 'compare with this shard (default: one of the largest group)')
    .option('--fix', 'rebuild invalid indexes, while their tables are in use')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault migrate verify
  npx pg-hypervault migrate verify --reference 17
  npx pg-hypervault migrate verify --fix

With --json: { "groups": [{ "fingerprint", "shardIds", "isReference", "missing", "extra" }], "absent", "invalidIndexes":
[{ "serverId", "shardId", "name" }], "fixedIndexes", "failures": [{ "serverId", "code", "message" }], "leftOut", "isClean" }.`,
    )
    .action((options: VerifyOptions) => runVerify(options, context))
}

async function runVerify(options: VerifyOptions, context: Context): Promise<void> {
  using stop = new StopRequest(context.signals, context.output.closed)
  const settings = { ...readOptions(options), signal: stop.signal }
  try {
    const report = await verifyWithProgress(settings, context)
    if (!report.isClean) context.exitCode = 1
    if (context.isJson) return await context.output.json(report)
    await printDrift(report, context.output)
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error
    context.exitCode = 1
    context.output.problem('stopped before the end', 'To compare again, run: npx pg-hypervault migrate verify')
  }
}

function readOptions({ reference, fix }: VerifyOptions): DriftOptions {
  if (reference === undefined) return { fix: fix === true }
  const shardId = parseShard('--reference', reference)
  return { reference: shardId, fix: fix === true }
}

async function verifyWithProgress(options: DriftOptions, context: Context): Promise<DriftReport> {
  return await context.withDatastore(async (db) => {
    using progress = new Progress(context.output, {
      title: 'migrate verify',
      unit: 'shards',
      total: db.topology.shardIds.length,
    })
    const sum = new ProgressSum(progress)
    return await db.verify({ ...options, onProgress: (event) => sum.add(event) })
  }, options.signal)
}
