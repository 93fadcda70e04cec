import type { Command } from 'commander'
import { assertHeld } from '../../catalog/spread.ts'
import { HypervaultError } from '../../errors.ts'
import {
  readRecordedSpreads,
  writeSpread,
  type RecordedSpread,
  type SpreadFailure,
} from '../../schema/record-spread.ts'
import { describeFailures } from '../../topology/like-failures.ts'
import { formatShardRanges, parseShardRanges } from '../../topology/shard-range.ts'
import { isSameSpread, planSpread, type SpreadPlan } from '../../topology/spread.ts'
import { checkUsage, UsageError } from '../arguments/usage-error.ts'
import type { ConnectionsConfig } from '../config/config.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'

interface SetFlags {
  dryRun?: boolean
  yes?: boolean
}

/** What values are spread over, and the shards that are there. */
interface SpreadState {
  readonly spread: readonly number[] | undefined
  readonly shardIds: readonly number[]
}

/** `npx pg-hypervault spread`: the shards that `shardFor` spreads values over. */
export function addSpreadCommand(program: Command, context: Context): void {
  const spread = program
    .command('spread')
    .summary('show or change the shards that values are spread over')
    .description(
      'The spread is the list of shards that shardFor() spreads values over. It is recorded once: in the catalog of a fleet or, with connections, in the shards. So adding shards does not change the shard of any value.',
    )
  addShowCommand(spread, context)
  addSetCommand(spread, context)
}

function addShowCommand(spread: Command, context: Context): void {
  spread
    .command('show')
    .summary('print the spread')
    .description('Prints the shards that values are spread over, and the shards that get no values.')
    .addHelpText(
      'after',
      `
Example:
  npx pg-hypervault spread show

With --json: { "spread", "others" }, as ranges or null.`,
    )
    .action(() => runShow(context))
}

function addSetCommand(spread: Command, context: Context): void {
  spread
    .command('set')
    .summary('change the spread, which assigns values to other shards')
    .description(
      'Spreads values over these shards from now on. Most values then belong to another shard, but no row is moved: an application that looks for a row in the shard of its value no longer finds rows stored before. With a catalog, running applications adopt the change. With connections, stop the applications first, and set their option spread.',
    )
    .argument('<shards>', 'ranges such as 1-33 or 1-9,17-25; the end is not included')
    .option('--dry-run', 'print the effect, and change nothing')
    .option('-y, --yes', 'confirm the change')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault spread set 1-33 --dry-run
  npx pg-hypervault spread set 1-33 --yes

With --json: { "before", "after", "movedShare", "applied", "failures" }.`,
    )
    .action((shards: string, flags: SetFlags) => runSet(shards, flags, context))
}

async function runShow(context: Context): Promise<void> {
  const { spread, shardIds } = await readState(context)
  const others = shardIds.filter((shardId) => spread?.includes(shardId) !== true)
  const [text, rest] = [spread && formatShardRanges(spread), formatShardRanges(others)]
  if (context.isJson) return context.output.json({ spread: text ?? null, others: rest === '' ? null : rest })
  if (spread === undefined)
    return context.output.data('No spread is recorded. `npx pg-hypervault spread set` records one.')
  await context.output.data(`Values are spread over ${formatCount(spread.length)} shards: ${text}`)
  if (others.length > 0) await context.output.data(`${formatCount(others.length)} shards get no values: ${rest}`)
}

async function runSet(shards: string, { dryRun, yes }: SetFlags, context: Context): Promise<void> {
  const after = checkUsage(() => parseShardRanges(shards, 'shards'))
  const { spread, shardIds } = await readState(context)
  assertHeld(after, shardIds)
  const plan = planSpread(spread, after)
  if (!context.isJson) describePlan(plan, context)
  if (dryRun === true) return printPlan(plan, { applied: false, failures: [] }, context)
  if (yes !== true && !isSameSpread(plan.before ?? [], after)) {
    const hint = `To change it anyway: npx pg-hypervault spread set ${shards} --yes`
    throw new UsageError('changing the spread assigns values to other shards: nothing was done', hint)
  }
  const failures = await apply(plan, context)
  await printPlan(plan, { applied: true, failures }, context)
}

/** Which of catalog and connections it is, the configuration says. */
async function readState(context: Context): Promise<SpreadState> {
  const config = await context.loadConfig()
  if (config.topology !== undefined) return readConnections(config)
  return await context.withFleet(async (fleet) => {
    const { servers, spread } = await fleet.readFleet()
    return { spread, shardIds: servers.flatMap((server) => server.shardIds).sort((a, b) => a - b) }
  })
}

async function readConnections({ topology }: ConnectionsConfig): Promise<SpreadState> {
  const read = await readRecordedSpreads(topology.servers)
  const silent = read.filter(({ problem }) => problem !== undefined)
  if (silent.length > 0) throw unreadable(silent)
  const recorded = [...new Set(read.flatMap(({ spreads }) => spreads))]
  const spread = recorded.length === 1 ? parseShardRanges(recorded[0], 'the spread of the shards') : undefined
  return { spread, shardIds: topology.shardIds }
}

/** What all shards say must be known before it is changed. */
function unreadable(silent: readonly RecordedSpread[]): HypervaultError {
  const failures = silent.map(({ serverId, problem = '' }) => ({ serverId, code: undefined, message: problem }))
  const text = describeFailures(failures).join('; ')
  const hint = 'Make these servers available, then run the command again.'
  return new HypervaultError('HV_PROVISION_FAILED', `servers could not be queried: ${text}`, { failures }, { hint })
}

async function apply(plan: SpreadPlan, context: Context): Promise<SpreadFailure[]> {
  const config = await context.loadConfig()
  if (config.topology === undefined) return context.withFleet((fleet) => fleet.applySpread(plan))
  return writeSpread(config.topology.servers, formatShardRanges(plan.after))
}

function describePlan({ before, after, movedShare }: SpreadPlan, { output }: Context): void {
  const share = `${(movedShare * 100).toFixed(movedShare > 0 && movedShare < 0.1 ? 2 : 0)} %`
  const from = before === undefined ? 'no recorded list' : formatShardRanges(before)
  output.talk(`Values are spread over ${from}. The new spread is ${formatShardRanges(after)}.`)
  output.talk(`${share} of all values then belong to another shard. No row is moved.`)
}

async function printPlan(
  { before, after, movedShare }: SpreadPlan,
  { applied, failures }: { readonly applied: boolean; readonly failures: readonly SpreadFailure[] },
  context: Context,
): Promise<void> {
  const { output, isJson } = context
  const ranges = { before: before === undefined ? null : formatShardRanges(before), after: formatShardRanges(after) }
  if (isJson) await output.json({ ...ranges, movedShare, applied, failures })
  else if (applied && failures.length === 0) await output.data(`Values are spread over ${ranges.after}.`)
  if (failures.length === 0) return
  context.exitCode = 4
  output.problem(
    `the spread could not be recorded on ${describeFailures(failures).join('; ')}`,
    'Fix the causes, then run the command again.',
  )
}
