import { assertInteger, assertOptions } from '../../arguments/arguments.ts'
import { isHypervaultError } from '../../errors.ts'
import type { MoveProgress } from '../move/move-context.ts'
import { listMoves, type MoveReport } from '../move/move-record.ts'
import type { MoveHooks, MovePlace } from '../move/open-move.ts'
import { assertThrottle } from '../move/throttle.ts'
import { decideRebalance, type PlannedMove, type ServerLoad } from './decide-rebalance.ts'
import { runMoves, type MovedShard } from './run-moves.ts'
import { rebalanceMeasures, weighShards, type RebalanceMeasure } from './weigh-shards.ts'

/** What is to be even. */
export interface RebalancePlanOptions {
  /** Default `bytes`. */
  readonly by?: RebalanceMeasure | undefined
  /** Difference of two servers that is left alone, as a part of their average; 0 … 1, default 0.1. */
  readonly threshold?: number | undefined
  /** How long writes are counted for `by: 'writes'`, in milliseconds; default 5,000. */
  readonly sampleMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Which shards are to move. Nothing was changed. */
export interface RebalancePlan {
  readonly by: RebalanceMeasure
  readonly moves: readonly PlannedMove[]
  readonly loads: readonly ServerLoad[]
}

/** How a plan is carried out. */
export interface RebalanceApplyOptions {
  /** Most moves under way on one server, as source or as target; default 1. */
  readonly concurrentMoves?: number | undefined
  /** Keeps the way back of each move, and with it the old shard, until it is completed; default false. */
  readonly keepReverse?: boolean | undefined
  /** Longest pause of the writers of a shard, in milliseconds; default that of a move. */
  readonly maxPauseMs?: number | undefined
  /** Most bytes of rows in a second while those of one shard are copied; default as fast as PostgreSQL copies. */
  readonly throttleBytesPerSecond?: number | undefined
  /** Begins no further move, and ends those under way at their next wait. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: MoveProgress) => void) | undefined
  readonly onMoved?: ((moved: MovedShard) => void) | undefined
}

/** What carries out a move. */
export interface Mover {
  moveShard(
    shardId: number,
    options: MoverOptions & Pick<RebalanceApplyOptions, 'throttleBytesPerSecond'> & { to: string },
  ): Promise<{ moveId: number } & MoveReport>
  complete(moveId: number, options: MoverOptions): Promise<void>
}

type MoverOptions = Pick<RebalanceApplyOptions, 'signal' | 'onProgress' | 'maxPauseMs'>

const DEFAULT_THRESHOLD = 0.1
const DEFAULT_SAMPLE_MS = 5_000
const MAX_SAMPLE_MS = 3_600_000
const MAX_CONCURRENT_MOVES = 16

const planNames = ['by', 'threshold', 'sampleMs', 'signal']
const applyNames = [
  'concurrentMoves',
  'keepReverse',
  'maxPauseMs',
  'throttleBytesPerSecond',
  'signal',
  'onProgress',
  'onMoved',
]

/** Spreads the shards of a fleet evenly, and empties servers that are being drained. */
export class Rebalance {
  readonly #place: MovePlace
  readonly #mover: Mover

  constructor(place: MovePlace, mover: Mover) {
    this.#place = place
    this.#mover = mover
  }

  /** Plans which shards move. Throws TypeError, RangeError, or what keeps a server from answering. */
  async plan(options: RebalancePlanOptions = {}): Promise<RebalancePlan> {
    assertOptions('plan', options, planNames)
    const { by = 'bytes', threshold = DEFAULT_THRESHOLD, sampleMs = DEFAULT_SAMPLE_MS, signal } = options
    assertMeasure(by)
    if (!(threshold >= 0 && threshold <= 1)) throw new RangeError(`threshold must be 0 to 1, got ${String(threshold)}`)
    assertInteger('sampleMs', sampleMs, 1, MAX_SAMPLE_MS)
    const { links } = this.#place
    const catalog = this.#place.catalog.under(signal)
    const { servers } = await catalog.readFleet()
    const underWay = await catalog.withSession((session) => listMoves(session, { isOver: false }))
    const moving = new Set(underWay.map(({ shardId }) => shardId))
    const weights = await weighShards(servers, links, { by, sampleMs, signal })
    const shards = servers.flatMap(({ serverId, shardIds }) =>
      shardIds.map((shardId) => {
        return { shardId, serverId, amount: weights.get(shardId) ?? 0, isMoving: moving.has(shardId) }
      }),
    )
    return Object.freeze({ by, ...decideRebalance(servers, shards, threshold) })
  }

  /**
   * Carries out a plan. Each move is proved, and completed unless the way back is kept, or completing it is refused, which
   * `leftOpen` tells. After a failure no further move begins; what has moved stays.
   *
   * @throws TypeError, RangeError; `HV_REBALANCE_STOPPED` with what was moved, what failed and what is left
   */
  async apply(plan: Pick<RebalancePlan, 'moves'>, options: RebalanceApplyOptions = {}): Promise<MovedShard[]> {
    assertOptions('apply', options, applyNames)
    const { concurrentMoves = 1, keepReverse = false, signal, onMoved } = options
    assertInteger('concurrentMoves', concurrentMoves, 1, MAX_CONCURRENT_MOVES)
    const { maxPauseMs, throttleBytesPerSecond, onProgress } = options
    assertThrottle(throttleBytesPerSecond)
    const hooks = { maxPauseMs, onProgress, signal }
    const move = async (planned: PlannedMove): Promise<MovedShard> => {
      const how = { to: planned.to, throttleBytesPerSecond, ...hooks }
      const { moveId, rows, pauseMs } = await this.#mover.moveShard(planned.shardId, how)
      const leftOpen = keepReverse ? undefined : await this.#complete(moveId, hooks)
      const moved = Object.freeze({ ...planned, moveId, rows, pauseMs, leftOpen })
      onMoved?.(moved)
      return moved
    }
    return runMoves(plan.moves, { concurrentMoves, signal, move })
  }

  /** Completes a move; or says why it was refused, with nothing changed: the shard has moved all the same. */
  async #complete(moveId: number, hooks: MoveHooks): Promise<string | undefined> {
    try {
      await this.#mover.complete(moveId, hooks)
      return undefined
    } catch (error) {
      if (isHypervaultError(error) && refusals.has(error.code)) return error.message
      throw error
    }
  }
}

/** What a completion is refused with before it has changed anything. */
const refusals: ReadonlySet<string> = new Set([
  'HV_MOVE_DEPENDENTS',
  'HV_MOVE_CHANGED',
  'HV_MOVE_MISMATCH',
  'HV_MOVE_SLOT_LOST',
])

function assertMeasure(by: unknown): asserts by is RebalanceMeasure {
  if (rebalanceMeasures.includes(by as RebalanceMeasure)) return
  throw new RangeError(`by must be one of ${rebalanceMeasures.join(', ')}, got ${JSON.stringify(by)}`)
}
