/** Shards of one server that are migrated in one wave, ascending. */
export interface WaveShards {
  readonly serverId: string
  readonly shardIds: readonly number[]
}

/** Shards that are migrated before the next ones are touched. */
export interface Wave {
  readonly isCanary: boolean
  readonly servers: readonly WaveShards[]
}

/** How shards are cut into waves. */
export interface WaveSettings {
  /** The shards to begin with; undefined for the first one that there is. */
  readonly canary: readonly number[] | undefined
  /** Which share of the shards of each server is done after each wave: `[0.01, 0.1, 1]`. The last one is 1. */
  readonly waves: readonly number[]
}

/** Cuts shards into waves: the canary, then a growing share of each server. A wave has at least one shard. */
export function planWaves(servers: readonly WaveShards[], { canary, waves }: WaveSettings): Wave[] {
  const first = canary ?? firstShard(servers)
  const canaries = servers.map((server) => narrow(server, (shardId) => first.includes(shardId)))
  const others = servers.map((server) => narrow(server, (shardId) => !first.includes(shardId)))
  const ends = [0, ...waves]
  const shares = waves.map((end, index) => others.map((server) => sliceShare(server, ends[index] ?? 0, end)))
  return [toWave(canaries, true), ...shares.map((share) => toWave(share, false))].filter(
    ({ servers: s }) => s.length > 0,
  )
}

function firstShard(servers: readonly WaveShards[]): number[] {
  const all = servers.flatMap(({ shardIds }) => shardIds)
  return all.length === 0 ? [] : [Math.min(...all)]
}

function narrow({ serverId, shardIds }: WaveShards, isWanted: (shardId: number) => boolean): WaveShards {
  return { serverId, shardIds: shardIds.filter(isWanted) }
}

/** Rounded up, so that a small share is not none. */
function sliceShare({ serverId, shardIds }: WaveShards, from: number, to: number): WaveShards {
  const at = (share: number): number => Math.ceil(share * shardIds.length)
  return { serverId, shardIds: shardIds.slice(at(from), at(to)) }
}

function toWave(servers: readonly WaveShards[], isCanary: boolean): Wave {
  return Object.freeze({ isCanary, servers: Object.freeze(servers.filter(({ shardIds }) => shardIds.length > 0)) })
}
