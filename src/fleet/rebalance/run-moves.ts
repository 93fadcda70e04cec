import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { describeFailures } from '../../topology/like-failures.ts'
import { decideNext } from './decide-next.ts'
import type { PlannedMove } from './decide-rebalance.ts'

/** What became of one move of a plan. */
export interface MovedShard extends PlannedMove {
  readonly moveId: number
  readonly rows: number
  readonly pauseMs: number
  /** Why the old shard and the way back were left, although they were to be given up; undefined when all went well. */
  readonly leftOpen: string | undefined
}

/** How moves are run. */
export interface RunMoves {
  /** Most moves under way on one server, as source or target. */
  readonly concurrentMoves: number
  readonly signal: AbortSignal | undefined
  readonly move: (planned: PlannedMove) => Promise<MovedShard>
}

/**
 * Runs the moves of a plan. After a failure none begins any more; those under way go on to their end.
 *
 * @throws `HV_REBALANCE_STOPPED` with what was moved, what failed and what is left; or the reason of the signal
 */
export async function runMoves(moves: readonly PlannedMove[], options: RunMoves): Promise<MovedShard[]> {
  const run = new MovesRun(moves, options)
  await run.untilDone()
  options.signal?.throwIfAborted()
  return run.result()
}

class MovesRun {
  readonly #options: RunMoves
  readonly #running = new Map<PlannedMove, Promise<void>>()
  readonly #moved: MovedShard[] = []
  readonly #failures: { shardId: number; code?: string; message: string; cause: unknown }[] = []
  #waiting: PlannedMove[]

  constructor(moves: readonly PlannedMove[], options: RunMoves) {
    this.#waiting = [...moves]
    this.#options = options
  }

  async untilDone(): Promise<void> {
    for (;;) {
      this.#beginNext()
      if (this.#running.size === 0) return
      await Promise.race(this.#running.values())
    }
  }

  result(): MovedShard[] {
    if (this.#failures.length === 0) return this.#moved
    const failures = this.#failures.map(({ cause: _, ...failure }) => failure)
    const moved = this.#moved.map(({ moveId, shardId, from, to }) => ({ moveId, shardId, from, to }))
    const left = this.#waiting.map(({ shardId }) => shardId)
    const why = describeFailures(failures).join('; ')
    const message = `${moved.length} shards moved, ${failures.length} failed, ${left.length} were not started: ${why}`
    const { cause } = this.#failures[0] ?? {}
    throw new HypervaultError('HV_REBALANCE_STOPPED', message, { moved, failures, left }, { cause })
  }

  #beginNext(): void {
    if (this.#failures.length > 0 || this.#options.signal?.aborted === true) return
    const next = decideNext(this.#waiting, [...this.#running.keys()], this.#options.concurrentMoves)
    this.#waiting = this.#waiting.filter((move) => !next.includes(move))
    for (const move of next) this.#running.set(move, this.#runOne(move))
  }

  async #runOne(move: PlannedMove): Promise<void> {
    try {
      this.#moved.push(await this.#options.move(move))
    } catch (error) {
      const code = isHypervaultError(error) ? { code: error.code } : {}
      const message = error instanceof Error ? error.message : String(error)
      this.#failures.push({ shardId: move.shardId, ...code, message, cause: error })
    } finally {
      this.#running.delete(move)
    }
  }
}
