import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { sqlstateOf } from '../../pool/failure.ts'
import { pause } from '../../pool/pause.ts'

/**
 * How often a put is tried again when the server gave out a key that exists already. Each attempt draws new sequence
 * numbers, so two are nearly always enough; too many would hide a clock that runs backwards for long.
 */
const MAX_ATTEMPTS = 10

/** Longest pause before the second attempt; doubled for each later one, up to the longest of all. */
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 64

const UNIQUE_VIOLATION = '23505' // unique_violation

/**
 * Judges a refused put whose keys the server makes: true if one of these keys is taken and the put should be sent again.
 * The scheme repeats keys above 1024 per millisecond and shard and when a clock steps back; the primary key is the
 * arbiter, and a violation of any other constraint is the caller's.
 *
 * @param error what the server refused the put with
 * @throws `HV_KEY_COLLISION` when it happened too often in a row; nothing was written then
 */
export function judgeCollision(error: unknown, put: PutAttempt, onCollision: () => void): boolean {
  if (!isKeyCollision(error)) return false
  countCollision(put, onCollision, error)
  return true
}

/** Counts a collision; throws `HV_KEY_COLLISION` when it happened too often in a row. */
export function countCollision(put: PutAttempt, onCollision: () => void, cause?: unknown): void {
  onCollision()
  if (put.attempts >= MAX_ATTEMPTS) throw collisionError(put, cause)
}

/** Runs a put, again when {@link judgeCollision} says so, after a pause. */
export async function retryKeyCollisions<T>(
  place: CollisionPlace,
  onCollision: () => void,
  put: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await put(attempts)
    } catch (error) {
      const cause = isHypervaultError(error) ? error.cause : error
      if (!judgeCollision(cause, { ...place, attempts }, onCollision)) throw error
    }
    await pauseAfter(attempts, place.signal)
  }
}

/**
 * Waits until others have passed with whom keys were shared, and the clock has gone on: a random time, because those who met
 * would meet again.
 */
export async function pauseAfter(attempts: number, signal?: AbortSignal): Promise<void> {
  const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS)
  await pause(1 + Math.random() * longestMs, signal)
}

/** Where puts are tried, and what ends the pauses between them. */
export interface CollisionPlace {
  readonly serverId: string
  readonly shardId: number
  readonly signal?: AbortSignal | undefined
}

/** Which put was tried how often. */
export interface PutAttempt extends CollisionPlace {
  readonly attempts: number
}

function isKeyCollision(error: unknown): boolean {
  const { constraint } = Object(error) as { constraint?: unknown }
  return sqlstateOf(error) === UNIQUE_VIOLATION && constraint === 'entities_pk'
}

function collisionError(put: PutAttempt, cause: unknown): HypervaultError {
  const { serverId, shardId, attempts } = put
  const message = `shard ${shardId} on server ${serverId} generated keys that already exist, ${attempts} times in a row`
  return new HypervaultError('HV_KEY_COLLISION', message, { serverId, shardId, attempts }, { cause })
}
