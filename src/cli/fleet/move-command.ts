import type { Command } from 'commander'
import type { MoveRunOptions } from '../../fleet/fleet-options.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { MoveResult } from '../../fleet/move/move-result.ts'
import { pause, tryPause } from '../../pool/pause.ts'
import { parseByteRate, parseDuration, parseWhole } from '../arguments/numbers.ts'
import { parseShard } from '../arguments/shards.ts'
import { UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'
import { FamilyCommand } from '../family-command.ts'
import { confirm, type DryRunOption, type YesOption } from '../terminal/confirm.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { addMoveEndCommands } from './move-end.ts'
import { printMoves, printPlan, printStatus } from './move-report.ts'
import { runMoveWork } from './move-run.ts'

/** Options of `move`, as commander gives them. */
interface MoveOptions extends DryRunOption, YesOption {
  readonly to?: string
  readonly maxPause?: string
  readonly keepReverse?: string
  readonly throttle?: string
}

const WATCH_MS = 1_000

/** `npx pg-hypervault move`: shards that change their server while they are in use. */
export function addMoveCommand(program: Command, context: Context): void {
  const move = FamilyCommand.addTo(program, 'move')
    .summary('move a shard to another server while it is in use')
    .description(
      'Moves a shard to another server of the fleet while it is in use. After the switch, changes are streamed back to the old server, until complete drops the old shard or reverse moves the shard back.',
    )
    .argument('[shard]', 'logical shard, 0 to 8191')
    .option('--to <server>', 'server to move the shard to')
    .option('--dry-run', 'print every step, statement and obstacle, and change nothing')
    .option('--yes', 'do not ask before --keep-reverse gives up the option to reverse; required without a terminal')
    .option(
      '--max-pause <time>',
      'longest pause of writes; if it would be longer, the shard stays on the source (default: 500ms)',
    )
    .option(
      '--throttle <rate>',
      'maximum bytes of rows to copy per second, such as 20MB; rows then pass through this process (default: as fast as PostgreSQL copies)',
    )
    .option(
      '--keep-reverse <time>',
      'complete the move automatically after this time (default: only when you run move complete)',
    )
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault move 5 --to s3 --dry-run
  npx pg-hypervault move 5 --to s3 --max-pause 250ms
  npx pg-hypervault move 5 --to s3 --throttle 20MB
  npx pg-hypervault move complete 17 --dry-run
  npx pg-hypervault move complete 17
  npx pg-hypervault move status 17 --watch

Ctrl-C stops a move at its next wait; before the switch, clients keep writing to the source. With --json: { "moveId", "shardId", "source",
"target", "tables", "rows", "chunks", "mismatches", "pauseMs", "lsn", "isExact" }.`,
    )
    .action((shard: string | undefined, options: MoveOptions) => runMove(shard, options, context))
  addMoveEndCommands(move, context)
  addLookCommands(move, context)
}

function addLookCommands(move: Command, context: Context): void {
  move
    .command('list')
    .summary('print the moves')
    .description('Prints the unfinished moves, newest first.')
    .option('--all', 'include finished moves')
    .addHelpText(
      'after',
      '\nWith --json: { "moves": [{ "moveId", "shardId", "source", "target", "phase", "report", … }] }.',
    )
    .action(({ all }: { all?: boolean }) =>
      context.withFleet(async (fleet) => {
        const isAll = all === true
        await printMoves(await fleet.moves(isAll ? {} : { isOver: false }), { isAll }, context)
      }),
    )
  move
    .command('status')
    .summary('print the steps of a move, and how far its stream is behind')
    .description('Prints the steps of a move, how far its stream is behind, and which commands can follow.')
    .argument('<move>', 'number of the move')
    .option('--watch', 'print it again every second, until the move has ended or Ctrl-C')
    .addHelpText(
      'after',
      '\nWith --json: the move with { "steps", "lagBytes", "retainedBytes", "next" }; with --watch, one per line.',
    )
    .action((moveId: string, { watch }: { watch?: boolean }) =>
      runStatus(parseWhole('move', moveId), watch === true, context),
    )
}

async function runMove(shard: string | undefined, options: MoveOptions, context: Context): Promise<void> {
  const { to, dryRun, maxPause, keepReverse, throttle } = options
  if (shard === undefined || to === undefined) {
    throw new UsageError('a move needs a shard and --to', 'For example: npx pg-hypervault move 5 --to s3')
  }
  const shardId = parseShard('shard', shard)
  const maxPauseMs = maxPause === undefined ? undefined : parseDuration('--max-pause', maxPause)
  const throttleBytesPerSecond = throttle === undefined ? undefined : parseByteRate('--throttle', throttle)
  const keepMs = keepReverse === undefined ? undefined : parseDuration('--keep-reverse', keepReverse)
  if (dryRun === true) {
    return context.withFleet(async (fleet) => {
      const plan = await checkUsageOf(() => fleet.planMove(shardId, { to, throttleBytesPerSecond }))
      if (plan.problems.length > 0) context.exitCode = 1
      await printPlan(plan, context)
    })
  }
  if (keepMs !== undefined && !(await confirm(describeKeeping(shardId, keepMs), options, context))) return
  await runMoveWork(async (fleet, hooks) => {
    const how = { to, maxPauseMs, throttleBytesPerSecond }
    const result = await checkUsageOf(() => fleet.moveShard(shardId, { ...hooks, ...how }))
    if (keepMs !== undefined) await completeLater(fleet, result, keepMs, hooks, context)
    return result
  }, context)
}

function describeKeeping(shardId: number, keepMs: number): string {
  return `${keepMs / 1_000} s after its move, shard ${shardId} can no longer be reversed, and the old shard is dropped`
}

/** Keeps the way back for a while, then takes the old shard away. */
async function completeLater(
  fleet: Fleet,
  { moveId }: MoveResult,
  keepMs: number,
  hooks: MoveRunOptions,
  { output }: Context,
): Promise<void> {
  output.talk(
    `The shard has moved. For ${keepMs / 1_000} s you can move it back: npx pg-hypervault move reverse ${moveId}`,
  )
  await pause(keepMs, hooks.signal)
  await fleet.complete(moveId, hooks)
}

async function runStatus(moveId: number, isWatching: boolean, context: Context): Promise<void> {
  await context.withFleet(async (fleet) => {
    using stop = new StopRequest(context.signals, context.output.closed)
    for (;;) {
      const status = await fleet.observe(moveId)
      await printStatus(status, context)
      if (!isWatching || status.move.isOver || stop.signal.aborted) return
      await tryPause(WATCH_MS, stop.signal)
      if (stop.signal.aborted) return
    }
  })
}

/** A server that cannot be the target is a wrong call. */
async function checkUsageOf<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message)
    throw error
  }
}
