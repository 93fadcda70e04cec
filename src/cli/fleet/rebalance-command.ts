import type { Command } from 'commander'
import type { Fleet } from '../../fleet/fleet.ts'
import type { ServerLoad } from '../../fleet/rebalance/decide-rebalance.ts'
import type { RebalancePlan, RebalancePlanOptions } from '../../fleet/rebalance/rebalance.ts'
import type { MovedShard } from '../../fleet/rebalance/run-moves.ts'
import type { RebalanceMeasure } from '../../fleet/rebalance/weigh-shards.ts'
import { formatRuns } from '../../topology/like-failures.ts'
import { parseByteRate, parseDuration, parseWhole, parsePercent } from '../arguments/numbers.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { formatBytes, formatCount } from '../terminal/amounts.ts'
import { assertCanConfirm, confirm, type DryRunOption, type YesOption } from '../terminal/confirm.ts'
import { tellFailures } from '../terminal/failure-lines.ts'
import type { Output } from '../terminal/output.ts'
import { StatusLine } from '../terminal/status-line.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { formatTable } from '../terminal/table.ts'
import { describeMoveProgress } from './move-progress.ts'

/** Options of `rebalance`, as commander gives them. */
interface RebalanceOptions extends DryRunOption, YesOption {
  readonly plan?: boolean
  readonly apply?: boolean
  readonly by: string
  readonly threshold?: string
  readonly sample?: string
  readonly concurrent?: string
  readonly maxPause?: string
  readonly keepReverse?: boolean
  readonly throttle?: string
}

const optionsOfApply: readonly (readonly [keyof RebalanceOptions, string])[] = [
  ['concurrent', '--concurrent'],
  ['maxPause', '--max-pause'],
  ['throttle', '--throttle'],
  ['keepReverse', '--keep-reverse'],
  ['yes', '--yes'],
]

const GIVING_UP = 'Each move is completed: its old shard is dropped, and the move can no longer be reversed'

const measures: Readonly<Record<string, RebalanceMeasure>> = { bytes: 'bytes', writes: 'writes', count: 'count' }

/** `npx pg-hypervault rebalance`: the shards spread evenly, drained servers emptied. */
export function addRebalanceCommand(program: Command, context: Context): void {
  program
    .command('rebalance')
    .summary('spread the shards of a fleet evenly, and empty drained servers')
    .description(
      'Plans which shards to move so that active servers have about the same load and drained servers have none. With --apply, moves them while they are in use, one at a time on each server.',
    )
    .option('--plan', 'print which shards would move, and change nothing')
    .option('--dry-run', 'same as --plan; can be added to --apply and its options')
    .option('--apply', 'plan, and move the shards')
    .option('--by <measure>', 'what to balance: bytes, writes (rows written per second) or count (shards)', 'bytes')
    .option('--threshold <percent>', 'tolerated difference from the average (default: 10%)')
    .option('--sample <time>', 'how long to count writes, with --by writes (default: 5s)')
    .option('--concurrent <moves>', 'maximum number of concurrent moves on one server (default: 1)')
    .option('--max-pause <time>', 'longest pause of writes to a shard (default: 500ms)')
    .option(
      '--throttle <rate>',
      'maximum bytes of rows of one shard to copy per second, such as 20MB (default: as fast as PostgreSQL copies)',
    )
    .option('--keep-reverse', 'keep each move reversible until npx pg-hypervault move complete')
    .option('--yes', 'do not ask before the moves become irreversible; required without a terminal')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault rebalance --plan
  npx pg-hypervault rebalance --apply --by writes --sample 60s
  npx pg-hypervault server drain s1 && npx pg-hypervault rebalance --apply

If a move fails, the run ends: shards that have moved stay on their new servers, and the command to continue is printed. The same
applies to Ctrl-C.
With --json: { "by", "loads": [{ "serverId", "state", "before", "after", "shardsBefore", "shardsAfter" }],
"moves": [{ "shardId", "from", "to", "amount" }] }; with --apply also "moved", each with { "moveId", "rows", "pauseMs" }.`,
    )
    .action((options: RebalanceOptions) => runRebalance(options, context))
}

async function runRebalance(options: RebalanceOptions, context: Context): Promise<void> {
  assertOptionsOfOne(options)
  const isApplying = options.apply === true && options.dryRun !== true
  const givesUp = isApplying && options.keepReverse !== true
  const wanted = parsePlanOptions(options)
  const concurrentMoves = options.concurrent === undefined ? 1 : parseWhole('--concurrent', options.concurrent)
  const maxPauseMs = options.maxPause === undefined ? undefined : parseDuration('--max-pause', options.maxPause)
  const throttleBytesPerSecond =
    options.throttle === undefined ? undefined : parseByteRate('--throttle', options.throttle)
  if (givesUp) assertCanConfirm(GIVING_UP, options, context)
  const { output } = context
  using stop = new StopRequest(context.signals, output.closed)
  const { signal } = stop
  const moved: MovedShard[] = []
  try {
    await context.withFleet(async (fleet) => {
      const plan = await fleet.rebalance.plan({ ...wanted, signal })
      if (!isApplying) return printPlan(plan, context)
      if (!context.isJson) await printPlan(plan, context)
      if (givesUp && plan.moves.length > 0 && !(await confirm(GIVING_UP, options, context))) return
      const { keepReverse } = options
      const how = { concurrentMoves, maxPauseMs, throttleBytesPerSecond, keepReverse, signal }
      await applyPlan(fleet, plan, how, moved, context)
      if (context.isJson) await output.json({ ...plan, moved })
    }, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    context.exitCode = 1
    output.problem(`stopped; shards moved: ${moved.length}`, 'To see the moves under way: npx pg-hypervault move list')
  }
}

/** Refuses what a plan does not look at. */
function assertOptionsOfOne(options: RebalanceOptions): void {
  const { plan, apply, dryRun, by, sample } = options
  if (plan === apply && dryRun !== true) {
    throw new UsageError('a rebalance needs --plan or --apply', 'Run first: npx pg-hypervault rebalance --plan')
  }
  if (plan === true && apply === true) {
    throw new UsageError('a rebalance needs --plan or --apply', 'To see what --apply would do: --apply --dry-run')
  }
  if (sample !== undefined && by !== 'writes') throw new UsageError('--sample requires --by writes')
  if (apply === true) return
  const given = optionsOfApply.find(([name]) => options[name] !== undefined)
  if (given !== undefined) throw new UsageError(`${given[1]} requires --apply`)
}

async function applyPlan(
  fleet: Fleet,
  plan: RebalancePlan,
  options: {
    concurrentMoves: number
    maxPauseMs: number | undefined
    throttleBytesPerSecond: number | undefined
    keepReverse: boolean | undefined
    signal: AbortSignal
  },
  moved: MovedShard[],
  { output }: Context,
): Promise<void> {
  using line = new StatusLine(output)
  await fleet.rebalance.apply(plan, {
    ...options,
    onProgress: (event) =>
      line.show(`${moved.length} of ${plan.moves.length} moved; ${describeMoveProgress(event, 0)}`),
    onMoved: (shard) => {
      moved.push(shard)
      const { moveId, shardId, to, rows, pauseMs } = shard
      output.talk(
        `Move ${moveId}: shard ${shardId} lives on ${to}, ${formatCount(rows)} rows proved, pause ${pauseMs} ms (${moved.length} of ${plan.moves.length})`,
      )
    },
  })
  tellLeftOpen(moved, output)
  if (options.keepReverse === true && moved.length > 0) {
    output.talk(
      'The moves can still be reversed. For each of them, run npx pg-hypervault move complete, or move reverse.',
    )
  }
}

function tellLeftOpen(moved: readonly MovedShard[], output: Output): void {
  const open = moved.filter(({ leftOpen }) => leftOpen !== undefined)
  if (open.length === 0) return
  tellFailures(
    open.map(({ shardId, leftOpen = '' }) => ({ shardId, message: leftOpen })),
    output,
    'a move is not completed: ',
  )
  const moves = formatRuns(open.map(({ moveId }) => moveId))
  const one = `npx pg-hypervault move complete ${open.length === 1 ? moves : 'MOVE'}`
  output.talk(open.length === 1 ? `To complete it: ${one}` : `To complete them, for each MOVE of ${moves}: ${one}`)
}

function parsePlanOptions({ by, threshold, sample }: RebalanceOptions): RebalancePlanOptions {
  const measure = measures[by]
  if (measure === undefined) throw new UsageError(`--by must be bytes, writes or count, got ${JSON.stringify(by)}`)
  return {
    by: measure,
    threshold: threshold === undefined ? undefined : parsePercent('--threshold', threshold),
    sampleMs: sample === undefined ? undefined : parseDuration('--sample', sample),
  }
}

async function printPlan(plan: RebalancePlan, { output, isJson }: Context): Promise<void> {
  if (isJson) return output.json(plan)
  const show = (amount: number): string => formatAmount(plan.by, amount)
  await output.data(showLoads(plan.loads, show))
  if (plan.moves.length === 0) return output.talk(explainNothing(plan.loads))
  const rows = plan.moves.map(({ shardId, from, to, amount }) => [String(shardId), `${from} → ${to}`, show(amount)])
  const columns = ['shard', 'way', plan.by].map((head, at) => ({
    head,
    align: at === 1 ? ('left' as const) : ('right' as const),
  }))
  await output.data(`\n${formatTable(columns, rows)}`)
}

/** Why a plan has no moves. */
export function explainNothing(loads: readonly ServerLoad[]): string {
  const stuck = loads.filter(({ state, shardsAfter }) => state === 'draining' && shardsAfter > 0)
  if (stuck.length === 0) return 'No shard needs to move.'
  const why = loads.some(({ state }) => state === 'active')
    ? 'their moves are under way: npx pg-hypervault move list'
    : 'no server is active: npx pg-hypervault server add, or activate'
  return `No shard can be moved, although ${stuck.map(({ serverId }) => serverId).join(', ')} still hold shards: ${why}`
}

function showLoads(loads: readonly ServerLoad[], show: (amount: number) => string): string {
  const columns = ['server', 'state', 'shards', '', 'load', ''].map((head, at) => ({
    head,
    align: at < 2 ? ('left' as const) : ('right' as const),
  }))
  return formatTable(
    columns,
    loads.map(({ serverId, state, before, after, shardsBefore, shardsAfter }) => [
      serverId,
      state,
      formatCount(shardsBefore),
      `→ ${formatCount(shardsAfter)}`,
      show(before),
      `→ ${show(after)}`,
    ]),
  )
}

function formatAmount(by: RebalanceMeasure, amount: number): string {
  if (by === 'bytes') return formatBytes(amount)
  return by === 'count' ? formatCount(amount) : `${amount.toFixed(1)}/s`
}
