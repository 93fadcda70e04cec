import { HypervaultError } from '../../../errors.ts'
import type { UnfitShard } from '../plan/plan-migrations.ts'

/** Why a shard is left out of a run. */
export function unfitError({ serverId, shardId, problem }: UnfitShard): HypervaultError {
  if (problem === 'missing') {
    const message = `shard ${shardId} on server ${serverId} does not exist`
    return new HypervaultError('HV_SHARD_MISSING', message, { serverId, shardId })
  }
  const message = `shard ${shardId} is moving: complete, reverse or abort its move first`
  return new HypervaultError('HV_MOVE_UNDER_WAY', message, { shardId })
}
