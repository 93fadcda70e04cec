import type { Command } from 'commander'
import type { MoveVerb } from '../../fleet/move/observe-move.ts'
import type { MoveEndPlan } from '../../fleet/move/plan-end.ts'
import { parseDuration, parseWhole } from '../arguments/numbers.ts'
import type { Context } from '../context.ts'
import {
  addDryRunOption,
  addYesOption,
  assertCanConfirm,
  confirm,
  type DryRunOption,
  type YesOption,
} from '../terminal/confirm.ts'
import { oneLine } from '../terminal/failure.ts'
import { runMoveWork, type MoveWork } from './move-run.ts'

/** Options of the subcommands that end a move or go on with it, as commander gives them. */
interface EndOptions extends DryRunOption, YesOption {
  readonly maxPause?: string
}

/** What a subcommand does, and what it takes. */
interface End {
  readonly summary: string
  /** Whether writers have to wait for a moment, so that the longest pause can be given. */
  readonly pauses: boolean
  /** Whether it is asked for a yes. */
  readonly asks: boolean
  readonly run: (moveId: number) => MoveWork
}

const ends: Readonly<Record<MoveVerb, End>> = {
  complete: {
    summary: 'drop the old shard; the move can then no longer be reversed',
    pauses: false,
    asks: true,
    run: (moveId) => (fleet, hooks) => fleet.complete(moveId, hooks).then(() => undefined),
  },
  reverse: {
    summary: 'move the shard back to its previous server',
    pauses: true,
    asks: false,
    run: (moveId) => (fleet, hooks) => fleet.reverse(moveId, hooks),
  },
  abort: {
    summary: 'cancel a move before its switch, and drop what it has created',
    pauses: false,
    asks: false,
    run: (moveId) => (fleet, hooks) => fleet.abort(moveId, hooks).then(() => undefined),
  },
  resume: {
    summary: 'continue a move after a crash or a failure',
    pauses: true,
    asks: false,
    run: (moveId) => (fleet, hooks) => fleet.resume(moveId, hooks),
  },
}

/** `npx pg-hypervault move complete`, `reverse`, `abort` and `resume`. */
export function addMoveEndCommands(move: Command, context: Context): void {
  for (const [verb, { summary, pauses, asks }] of Object.entries(ends) as [MoveVerb, End][]) {
    const command = move
      .command(verb)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}. Safe to repeat.`)
      .argument('<move>', 'number of the move')
    addDryRunOption(command)
    if (asks) addYesOption(command)
    if (pauses) command.option('--max-pause <time>', 'longest pause of writes (default: that of the move)')
    command
      .addHelpText(
        'after',
        '\nWith --json and --dry-run: { "moveId", "shardId", "verb", "phase", "home", "endsWayBack", "steps": [{ "at", "what" }],\n"problems": [{ "code", "message", "hint" }] }.',
      )
      .action((text: string, options: EndOptions) => runEnd(verb, text, options, context))
  }
}

async function runEnd(verb: MoveVerb, text: string, options: EndOptions, context: Context): Promise<void> {
  const moveId = parseWhole('move', text)
  const { dryRun, maxPause } = options
  const maxPauseMs = maxPause === undefined ? undefined : parseDuration('--max-pause', maxPause)
  if (dryRun === true) {
    return context.withFleet(async (fleet) => printEnd(await fleet.planEnd(moveId, verb), context))
  }
  const { asks, run } = ends[verb]
  if (asks && !(await isWanted(moveId, verb, options, context))) return
  await runMoveWork((fleet, hooks) => run(moveId)(fleet, { ...hooks, maxPauseMs }), context, moveId)
}

/** Asks only when there is a way back that can be given up. */
async function isWanted(moveId: number, verb: MoveVerb, options: YesOption, context: Context): Promise<boolean> {
  assertCanConfirm(`move ${moveId} could no longer be reversed`, options, context)
  if (options.yes === true) return true
  const { shardId, endsWayBack, home, problems } = await context.withFleet((fleet) => fleet.planEnd(moveId, verb))
  // What would be refused is refused without a question.
  if (!endsWayBack || problems.length > 0) return true
  return confirm(`Shard ${shardId} stays on ${home}, and move ${moveId} can no longer be reversed`, options, context)
}

async function printEnd(plan: MoveEndPlan, context: Context): Promise<void> {
  const { output, isJson } = context
  const { moveId, shardId, verb, phase, home, endsWayBack, steps, problems } = plan
  if (problems.length > 0) context.exitCode = 1
  if (isJson) return output.json(plan)
  output.talk(`Move ${moveId} of shard ${shardId} is ${phase}. Nothing is changed; ${verb} would:`)
  for (const { at, what } of steps) await output.data(`${at}: ${what}`)
  if (steps.length === 0) output.talk('do nothing: the move has ended.')
  for (const { code, message, hint } of problems) output.problem(`${oneLine(message)} (${code})`, hint)
  if (problems.length > 0) return output.talk(`The ${verb} would be refused: see above.`)
  output.talk(`Afterwards the shard lives on ${home}.${endsWayBack ? ' The move can then no longer be reversed.' : ''}`)
}
