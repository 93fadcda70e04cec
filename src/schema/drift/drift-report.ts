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

/** What is left out of a comparison on purpose. Everything else that `pg_dump` writes of a schema is compared. */
export const leftOut: readonly string[] = Object.freeze([
  'rows, the positions of sequences, and the statistics of ANALYZE',
  'tablespaces, which belong to a server',
  'the numbers that columns have on disk, and columns that were dropped',
  'who has granted a privilege',
  'security labels',
  'usual names of not-null constraints',
  'the floor of a next_id(), the record of the shards that values are spread over, and what a move makes for its time (hv_fence, hv_marker)',
  'what belongs to the database: extensions and their schema, roles, settings, event triggers, publications of all tables, subscriptions, languages',
])

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
  /** What is not compared, in words: the same for every look. */
  readonly leftOut: readonly string[]
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

/** What one of two shards has and the other has not. */
export interface LineDifference {
  readonly missing: readonly string[]
  readonly extra: readonly string[]
}

/** Compares the lines of a shard with those of another. Columns that come or go are told without the order that follows. */
export function compareLines(reference: readonly string[], own: readonly string[]): LineDifference {
  const [missing, extra] = [linesWithout(reference, own), linesWithout(own, reference)]
  const orders = (lines: readonly string[]): Set<string> => new Set(lines.flatMap((line) => columnsOf(line) ?? []))
  const isTold = (others: readonly string[]): ((line: string) => boolean) => {
    const known = orders(others)
    return (line) => known.has(columnsOf(line) ?? '') || columnsOf(line) === undefined
  }
  return { missing: missing.filter(isTold(extra)), extra: extra.filter(isTold(missing)) }
}

/** The columns of a line about their order, in an order of their own; undefined for another line. */
function columnsOf(line: string): string | undefined {
  const [, table, columns] = /^columns of (.+?) in this order: (.*)$/s.exec(line) ?? []
  return columns === undefined ? undefined : [table, ...columns.split(', ').sort()].join('\n')
}
