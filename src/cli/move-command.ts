import type { Command } from 'commander'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet, MoveRunOptions } from '../fleet/fleet.ts'
import type { MoveResult } from '../fleet/move/move-result.ts'
import type { MoveVerb } from '../fleet/move/observe-move.ts'
import { assertShardId } from '../key/shard-id.ts'
import { parseByteRate } from './byte-rate.ts'
import type { Context } from './context.ts'
import { parseDuration } from './duration.ts'
import { MoveProgressLine } from './move-progress.ts'
import { printMoves, printPlan, printResult, printStatus, tellNext } from './move-report.ts'
import { StopRequest } from './stop-request.ts'
import { checkUsage, parseWhole, UsageError } from './usage-error.ts'

/** Options of `move`, as commander gives them. */
interface MoveOptions {
  readonly to?: string
  readonly dryRun?: boolean
  readonly maxPause?: string
  readonly keepReverse?: string
  readonly throttle?: string
}

type MoveWork = (fleet: Fleet, options: MoveRunOptions) => Promise<MoveResult | undefined>

const WATCH_MS = 1_000

/** `npx pg-hypervault move`: shards that change their server while they are in use. */
export function addMoveCommand(program: Command, context: Context): void {
  const move = program
    .command('move')
    .summary('move a shard to another server while it is in use')
    .description(
      'Moves a shard to another server of the fleet while it is in use. Afterwards what is written there streams back, until complete takes the old shard away, or reverse brings the shard back.',
    )
    .argument('[shard]', 'logical shard, 0 to 8191')
    .option('--to <server>', 'where it goes')
    .option('--dry-run', 'print every step and statement and all that stands in the way, and change nothing')
    .option('--max-pause <time>', 'longest pause of the writers; beyond it they go on at the source (default: 500ms)')
    .option(
      '--throttle <rate>',
      'most bytes of rows in a second while they are copied, such as 20MB; they go through this process then (default: as fast as PostgreSQL copies)',
    )
    .option('--keep-reverse <time>', 'complete the move by itself after this time (default: when told)')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault move 5 --to s3 --dry-run
  npx pg-hypervault move 5 --to s3 --max-pause 250ms
  npx pg-hypervault move 5 --to s3 --throttle 20MB
  npx pg-hypervault move complete 17
  npx pg-hypervault move status 17 --watch

Ctrl-C ends a move at its next wait; before the switch the writers go on where they were. With --json: { "moveId", "shardId", "source",
"target", "tables", "rows", "chunks", "mismatches", "pauseMs", "lsn", "isExact" }.`,
    )
    .action((shard: string | undefined, options: MoveOptions) => runMove(shard, options, context))
  addEndCommands(move, context)
  addLookCommands(move, context)
}

function addEndCommands(move: Command, context: Context): void {
  const add = (name: MoveVerb, summary: string, work: (moveId: number) => MoveWork): void => {
    move
      .command(name)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}. Safe to repeat.`)
      .argument('<move>', 'number of the move')
      .action((text: string) => {
        const moveId = parseWhole('move', text)
        return runWork(work(moveId), context, moveId)
      })
  }
  add('complete', 'take the old shard away, and with it the way back', (moveId) => async (fleet, options) => {
    await fleet.complete(moveId, options)
    return undefined
  })
  add('reverse', 'bring the shard back to where it was', (moveId) => (fleet, options) => fleet.reverse(moveId, options))
  add('abort', 'take away what a move has made before its switch', (moveId) => async (fleet, options) => {
    await fleet.abort(moveId, options)
    return undefined
  })
  add(
    'resume',
    'go on with a move after a crash or a failure',
    (moveId) => (fleet, options) => fleet.resume(moveId, options),
  )
}

function addLookCommands(move: Command, context: Context): void {
  move
    .command('list')
    .summary('print the moves')
    .description('Prints the moves that are not over, the newest first.')
    .option('--all', 'those that are over as well')
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
    .summary('print what a move has done, and how far its stream is behind')
    .description('Prints what a move has done, how far its stream is behind, and what to type next.')
    .argument('<move>', 'number of the move')
    .option('--watch', 'print it again every second, until the move is over or Ctrl-C')
    .addHelpText(
      'after',
      '\nWith --json: the move with { "steps", "lagBytes", "retainedBytes", "next" }; with --watch one a line.',
    )
    .action((moveId: string, { watch }: { watch?: boolean }) =>
      runStatus(parseWhole('move', moveId), watch === true, context),
    )
}

async function runMove(shard: string | undefined, options: MoveOptions, context: Context): Promise<void> {
  const { to, dryRun, maxPause, keepReverse, throttle } = options
  if (shard === undefined || to === undefined) {
    throw new UsageError('a move needs a shard and --to', 'Such as: npx pg-hypervault move 5 --to s3')
  }
  const shardId = parseShard(shard)
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
  await runWork(async (fleet, hooks) => {
    const how = { to, maxPauseMs, throttleBytesPerSecond }
    const result = await checkUsageOf(() => fleet.moveShard(shardId, { ...hooks, ...how }))
    if (keepMs !== undefined) await completeLater(fleet, result, keepMs, hooks, context)
    return result
  }, context)
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
    `The shard has moved. The way back is kept for ${keepMs / 1_000} s; npx pg-hypervault move reverse ${moveId} takes it.`,
  )
  await sleep(keepMs, undefined, { signal: hooks.signal })
  await fleet.complete(moveId, hooks)
}

/** Works on a move with progress, until it is done or Ctrl-C. */
async function runWork(work: MoveWork, context: Context, known?: number): Promise<void> {
  using stop = new StopRequest(context.signals, context.output.closed)
  let moveId = known
  await context.withFleet(async (fleet) => {
    try {
      const result = await withProgress(fleet, work, stop.signal, context, (id) => (moveId = id))
      if (result !== undefined) await printResult(result, context)
    } catch (error) {
      if (!stop.signal.aborted) throw error
      context.exitCode = 1
      context.output.problem('stopped before the end')
    } finally {
      if (moveId !== undefined) await tellWhereItIs(fleet, moveId, context)
    }
  }, stop.signal)
}

async function withProgress(
  fleet: Fleet,
  work: MoveWork,
  signal: AbortSignal,
  { output }: Context,
  onMove: (moveId: number) => void,
): Promise<MoveResult | undefined> {
  using line = new MoveProgressLine(output)
  return await work(fleet, {
    signal,
    onProgress: (event) => {
      onMove(event.moveId)
      line.show(event)
    },
  })
}

async function tellWhereItIs(fleet: Fleet, moveId: number, context: Context): Promise<void> {
  const { move, next } = await fleet.observe(moveId)
  context.output.talk(`Move ${moveId} of shard ${move.shardId} is ${move.phase}.${next.length > 0 ? ' Next:' : ''}`)
  tellNext(move, context)
}

async function runStatus(moveId: number, isWatching: boolean, context: Context): Promise<void> {
  await context.withFleet(async (fleet) => {
    using stop = new StopRequest(context.signals, context.output.closed)
    for (;;) {
      const status = await fleet.observe(moveId)
      await printStatus(status, context)
      if (!isWatching || status.move.isOver || stop.signal.aborted) return
      await sleep(WATCH_MS, undefined, { signal: stop.signal }).catch(() => undefined)
      if (stop.signal.aborted) return
    }
  })
}

function parseShard(text: string): number {
  return checkUsage(() => {
    if (!/^\d{1,5}$/.test(text)) throw new RangeError(`shard must be an integer, got ${JSON.stringify(text)}`)
    assertShardId(Number(text), 'shard')
    return Number(text)
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
