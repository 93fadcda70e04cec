import type { MoveRunOptions } from '../../fleet/fleet-options.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { MoveResult } from '../../fleet/move/move-result.ts'
import type { Context } from '../context.ts'
import { StopRequest } from '../terminal/stop-request.ts'
import { MoveProgressLine } from './move-progress.ts'
import { printResult, tellNext } from './move-report.ts'

/** Work on a move. */
export type MoveWork = (fleet: Fleet, options: MoveRunOptions) => Promise<MoveResult | undefined>

/** Works on a move with progress, until it is done or Ctrl-C. */
export async function runMoveWork(work: MoveWork, context: Context, known?: number): Promise<void> {
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
