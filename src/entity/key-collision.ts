import { HypervaultError, isHypervaultError } from '../errors.ts'

/**
 * How often a put is tried again when the server gave out a key that exists already. Each attempt draws new sequence
 * numbers, so two are nearly always enough; too many would hide a clock that runs backwards for long.
 */
const MAX_ATTEMPTS = 10

const UNIQUE_VIOLATION = '23505' // unique_violation

/**
 * Runs a put whose keys the server makes, again when such a key is taken: the scheme repeats keys above 1024 per
 * millisecond and shard and when a clock steps back, and the primary key is the arbiter. A violation of any other
 * constraint is the caller's.
 *
 * @throws `HV_KEY_COLLISION` when it happens too often in a row; nothing was written then
 */
export async function retryKeyCollisions<T>(
  place: { serverId: string; shardId: number },
  onCollision: () => void,
  put: () => Promise<T>,
): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await put()
    } catch (error) {
      if (!isKeyCollision(error)) throw error
      onCollision()
      if (attempts === MAX_ATTEMPTS) throw collisionError({ ...place, attempts }, error)
    }
  }
}

function isKeyCollision(error: unknown): boolean {
  if (!isHypervaultError(error, 'HV_STATEMENT_FAILED') || error.details.sqlstate !== UNIQUE_VIOLATION) return false
  return (error.cause as { constraint?: unknown }).constraint === 'entities_pk'
}

function collisionError(
  details: { serverId: string; shardId: number; attempts: number },
  cause: unknown,
): HypervaultError {
  const { serverId, shardId, attempts } = details
  const message = `shard ${shardId} on server ${serverId} gave out keys that exist already, ${attempts} times in a row`
  return new HypervaultError('HV_KEY_COLLISION', message, details, { cause })
}
