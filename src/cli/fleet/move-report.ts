import type { MoveRecord } from '../../fleet/move/move-record.ts'
import type { MoveResult } from '../../fleet/move/move-result.ts'
import { listVerbs, type MoveStatus, type MoveVerb } from '../../fleet/move/observe-move.ts'
import type { MovePlan } from '../../fleet/move/plan-move.ts'
import type { PlacedFailure } from '../../topology/like-failures.ts'
import type { Context } from '../context.ts'
import { formatBytes, formatCount } from '../terminal/amounts.ts'
import { failureLines } from '../terminal/failure-lines.ts'
import { oneLine } from '../terminal/failure.ts'
import { formatTable, type Column } from '../terminal/table.ts'

const left = (...heads: string[]): Column[] => heads.map((head) => ({ head, align: 'left' as const }))

const meanings: Readonly<Record<MoveVerb, string>> = {
  resume: 'continues the move',
  abort: 'drops what the move has created; the shard stays on its server',
  complete: 'drops the old shard',
  reverse: 'moves the shard back',
}

/** The commands that may come next. */
export function nextCommands(moveId: number, verbs: readonly MoveVerb[]): string[] {
  return verbs.map((verb) => `npx pg-hypervault move ${verb} ${moveId}`)
}

/** Tells what to type next. */
export function tellNext({ moveId, phase }: Pick<MoveRecord, 'moveId' | 'phase'>, { output }: Context): void {
  for (const verb of listVerbs(phase)) output.talk(`  npx pg-hypervault move ${verb} ${moveId}    ${meanings[verb]}`)
}

/** Prints what a move has proved. */
export async function printResult(result: MoveResult, { output, isJson }: Context): Promise<void> {
  const { moveId, shardId, source, target, tables, rows, mismatches, pauseMs, isExact, lsn } = result
  if (isJson) return output.json(result)
  const proof = isExact ? `snapshots at ${lsn}` : 'live rows, after a crash'
  const lines = [
    ['move', String(moveId)],
    ['shard', `${shardId}, from ${source} to ${target}`],
    [
      'rows proved equal',
      mismatches.length === 0 ? `${formatCount(rows)} in ${tables} ${tables === 1 ? 'table' : 'tables'}` : 'NO',
    ],
    ['proof', proof],
    ['pause of writes', `${pauseMs} ms`],
  ]
  for (const [name = '', value = ''] of lines) await output.data(`${`${name}:`.padEnd(22)}${value}`)
}

/** Prints every step and statement of a plan, and what stands in its way. */
export async function printPlan(plan: MovePlan, { output, isJson }: Context): Promise<void> {
  if (isJson) return output.json(plan)
  const { shardId, source, target, steps, problems } = plan
  await output.data(`-- shard ${shardId} from ${source} to ${target}`)
  for (const { step, at, what, statements } of steps) {
    await output.data(`\n-- ${step}, at ${at}: ${what}`)
    for (const statement of statements) await output.data(`${statement};`)
  }
  for (const problem of problems) output.problem(oneLine(problem))
  output.talk(problems.length === 0 ? 'The move is possible.' : 'The move would be refused: see above.')
}

/** Prints a list of moves. */
export async function printMoves(
  moves: readonly MoveRecord[],
  { isAll }: { readonly isAll: boolean },
  { output, isJson }: Context,
): Promise<void> {
  if (isJson) return output.json({ moves })
  if (moves.length === 0) {
    return output.talk(
      isAll ? 'No shard has been moved yet.' : 'No move is under way. To see finished moves, add --all.',
    )
  }
  const rows = moves.map(({ moveId, shardId, source, target, phase, report, startedAt }) => [
    String(moveId),
    String(shardId),
    `${source} → ${target}`,
    phase,
    report === undefined ? '' : formatCount(report.rows),
    report === undefined ? '' : `${report.pauseMs} ms`,
    startedAt.toISOString(),
  ])
  await output.data(formatTable(left('move', 'shard', 'way', 'phase', 'rows', 'pause', 'begun'), rows))
  const problems = failureLines(moves.flatMap(problemOf))
  if (problems.length > 0) await output.data(['', ...problems].join('\n'))
}

function problemOf({ shardId, problem }: MoveRecord): PlacedFailure[] {
  return problem === undefined ? [] : [{ shardId, message: problem }]
}

/** Prints one move, with what it has done. */
export async function printStatus(
  { move, steps, lagBytes, retainedBytes, next }: MoveStatus,
  context: Context,
): Promise<void> {
  const { output, isJson } = context
  if (isJson)
    return output.json({
      ...move,
      steps,
      lagBytes: lagBytes ?? null,
      retainedBytes: retainedBytes ?? null,
      next: nextCommands(move.moveId, next),
    })
  await printMoves([move], { isAll: true }, context)
  const { throttleBytesPerSecond } = move.options
  if (throttleBytesPerSecond !== undefined) {
    await output.data(`throttle: rows are copied at no more than ${formatBytes(throttleBytesPerSecond)}/s`)
  }
  await output.data(
    formatTable(
      left('at', 'step', 'state'),
      steps.map(({ at, step, state }) => [at, step, state]),
    ),
  )
  const lag = lagBytes === undefined ? 'the stream is not being read' : `${formatBytes(lagBytes)} behind`
  const kept = retainedBytes === undefined ? '' : `, ${formatBytes(retainedBytes)} of WAL kept`
  if (!move.isOver) await output.data(`stream: ${lag}${kept}`)
  tellNext(move, context)
}
