/** A shard, and the sign that stands for it. */
export interface GridCell {
  readonly shardId: number
  readonly sign: string
}

const CELLS_PER_LINE = 64

/** Shards as signs, 64 in a line, each line with the first shard in it. Lines without a shard are left out. */
export function formatGrid(cells: readonly GridCell[]): string[] {
  const lines = new Map<number, string[]>()
  for (const { shardId, sign } of cells) {
    const start = shardId - (shardId % CELLS_PER_LINE)
    const line = lines.get(start) ?? []
    lines.set(start, line)
    line[shardId - start] = sign
  }
  return [...lines].sort(([a], [b]) => a - b).map(([start, line]) => `${String(start).padStart(6)} ${fill(line)}`)
}

/** Shards of other servers are blank. */
function fill(line: readonly (string | undefined)[]): string {
  return Array.from(line, (sign) => sign ?? ' ').join('')
}
