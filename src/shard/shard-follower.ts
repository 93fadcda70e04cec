import { HypervaultError, isHypervaultError } from '../errors.ts'
import { pause } from '../pool/pause.ts'
import type { Bounds } from '../pool/within.ts'
import type { ServerPools } from './server-pools.ts'

/*
 * Goes after a shard that moves. Two refusals prove that nothing was executed: that of a fence, which stands from the
 * last moments of a move on, and that of a schema that is gone, because the move was completed. After either the
 * topology is asked for again.
 *
 *   refused by       and now the shard lives     then
 *   a fence          elsewhere                   again, there
 *   a fence          where it was                again after a pause: the switch, or the end of the fence, is near
 *   a missing one    elsewhere                   again, there
 *   a missing one    where it was                the refusal stands
 *
 * A catalog that does not answer holds nobody up longer than the wait that the caller has agreed to: then the refusal
 * stands, and says so.
 */

/** How long a shard is followed. */
export interface FollowOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** A refusal that says that a shard may live elsewhere. Nothing was executed. */
type Departure = HypervaultError<'HV_SHARD_MOVED'> | HypervaultError<'HV_SHARD_MISSING'>

/** Brings the topology up to date within bounds; resolves to what stood in the way, if anything did. */
export type RefreshTopology = (bounds: Bounds) => Promise<string | undefined>

const FIRST_PAUSE_MS = 2
const LAST_PAUSE_MS = 100

/** For one look at the catalog by who has used up its time with the attempt itself. */
const LAST_LOOK_MS = 500

/** Does work on a shard wherever it lives. */
export class ShardFollower {
  readonly #pools: ServerPools
  readonly #refresh: RefreshTopology | undefined

  /** @param refresh brings the topology up to date; without it shards do not move, and every refusal stands */
  constructor(pools: ServerPools, refresh: RefreshTopology | undefined) {
    this.#pools = pools
    this.#refresh = refresh
  }

  /** Does work on a shard wherever it lives. Rejects with what `work` rejects with, or the reason of the signal. */
  async run<T>(shardId: number, options: FollowOptions, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now()
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        const leftMs = startedAt + options.timeoutMs - performance.now()
        await this.follow(error, { shardId, attempt, leftMs, signal: options.signal })
      }
    }
  }

  /** Resolves when it makes sense to try again, or throws what it was given. */
  async follow(error: unknown, trail: Trail): Promise<void> {
    if (this.#refresh === undefined || !isDeparture(error, trail.shardId)) throw error
    if (this.#hasLeft(error, trail.shardId)) return
    const { signal, leftMs } = trail
    const startedAt = performance.now()
    const problem = await this.#refresh({ signal, timeoutMs: Math.max(leftMs, LAST_LOOK_MS) })
    if (this.#hasLeft(error, trail.shardId)) return
    const isOver = leftMs <= performance.now() - startedAt
    if (error.code === 'HV_SHARD_MISSING' || isOver) throw problem === undefined ? error : withProblem(error, problem)
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** trail.attempt, LAST_PAUSE_MS)
    await pause(pauseMs, signal)
  }

  #hasLeft({ details }: Departure, shardId: number): boolean {
    return this.#pools.topology.findServer(shardId)?.serverId !== details.serverId
  }
}

/** The refusal, with the reason why nobody knows where the shard lives now. The refusal itself is its cause. */
function withProblem(refusal: Departure, problem: string): Departure {
  const message = `${refusal.message}; its current server is not known: ${problem}`
  return new HypervaultError(refusal.code, message, refusal.details, { cause: refusal })
}

/** How far somebody has come who follows a shard. */
export interface Trail {
  readonly shardId: number
  /** How often it was tried before. */
  readonly attempt: number
  readonly leftMs: number
  readonly signal?: AbortSignal | undefined
}

/** A refusal of another shard, which the work may have asked for, says nothing of this one. */
function isDeparture(error: unknown, shardId: number): error is Departure {
  const isRefusal = isHypervaultError(error, 'HV_SHARD_MOVED') || isHypervaultError(error, 'HV_SHARD_MISSING')
  return isRefusal && error.details.shardId === shardId
}
