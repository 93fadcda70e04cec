/** A shard, and the md5 of what it is made of. */
export interface ShardFingerprint {
  readonly serverId: string
  readonly shardId: number
  readonly fingerprint: string
}

/** Shards that are made of the same. */
export interface ShapeGroup {
  readonly fingerprint: string
  /** Ascending. */
  readonly shardIds: readonly number[]
  /** Whether the others are compared with this one. */
  readonly isReference: boolean
  /** What the reference has and these shards have not, a line each, without the name of the schema. */
  readonly missing: readonly string[]
  /** What these shards have and the reference has not. */
  readonly extra: readonly string[]
}

/** An index that serves no query, because its making was interrupted. */
export interface InvalidIndex {
  readonly serverId: string
  readonly shardId: number
  readonly name: string
}

/** A server that could not be asked. */
export interface DriftFailure {
  readonly serverId: string
  readonly code: string | undefined
  readonly message: string
}

/** What all shards are made of. */
export interface DriftReport {
  /** The reference first, then the others, the larger ones first. */
  readonly groups: readonly ShapeGroup[]
  /** Shards that the topology places on a server that has no such schema. */
  readonly absent: readonly number[]
  /** Those that are left, when they were to be rebuilt. */
  readonly invalidIndexes: readonly InvalidIndex[]
  /** Those that were rebuilt, or dropped where they were leftovers of another rebuilding. */
  readonly fixedIndexes: readonly InvalidIndex[]
  readonly failures: readonly DriftFailure[]
  /** True when all shards are there, are made of the same, and every server has answered. */
  readonly isClean: boolean
}

/** Shards by fingerprint: the reference first. It is the group of a given shard, else the largest one. */
export function groupShards(shards: readonly ShardFingerprint[], reference: number | undefined): ShardFingerprint[][] {
  const groups = new Map<string, ShardFingerprint[]>()
  for (const shard of [...shards].sort((a, b) => a.shardId - b.shardId)) {
    const group = groups.get(shard.fingerprint)
    if (group === undefined) groups.set(shard.fingerprint, [shard])
    else group.push(shard)
  }
  const isChosen = (group: readonly ShardFingerprint[]): boolean => group.some(({ shardId }) => shardId === reference)
  return [...groups.values()].sort((a, b) => Number(isChosen(b)) - Number(isChosen(a)) || b.length - a.length)
}

/** The lines of the first that the second has not. A line may be there more than once. */
export function linesWithout(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1)
  return lines.filter((line) => {
    const left = counts.get(line) ?? 0
    counts.set(line, left - 1)
    return left <= 0
  })
}
