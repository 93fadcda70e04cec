import { HypervaultError } from '../../errors.ts'
import { flag, type EncodedCondition } from './condition.ts'

/** The error of a condition on the time of an entity that has none; undefined if the condition can be looked at. */
export function updatedMissing(
  { flags }: EncodedCondition,
  hasUpdated: boolean,
  { serverId, shardId }: { readonly serverId: string; readonly shardId: number },
): HypervaultError<'HV_UPDATED_MISSING'> | undefined {
  if (hasUpdated || (flags & flag.ifUpdatedAt) === 0) return undefined
  const message = `shard ${shardId} on server ${serverId} has no column "updated" to compare ifUpdatedAt with`
  return new HypervaultError('HV_UPDATED_MISSING', message, { serverId, shardId })
}

/** Throws the error of {@link updatedMissing}, if there is one. */
export function assertUpdated(
  condition: EncodedCondition,
  hasUpdated: boolean,
  place: { readonly serverId: string; readonly shardId: number },
): void {
  const error = updatedMissing(condition, hasUpdated, place)
  if (error !== undefined) throw error
}
