import { DEFAULT_EPOCH_MS, Key } from '../../src/index.ts'

/** When the first of the rows of each shard was made; 1024 more follow in each millisecond. */
const FIRST_MS = DEFAULT_EPOCH_MS + 300_000_000_000

/** The key of the nth row of a shard. It can be computed, also by pgbench. */
export function keyOfRow(shardId: number, row: number): Key {
  return Key.from({ created: new Date(FIRST_MS + Math.floor(row / 1024)), shardId, addedId: row % 1024 })
}

/** The keys of so many rows in each shard, all mixed. */
export function mixKeys(shardIds: readonly number[], rowsPerShard: number): Key[] {
  const keys = shardIds.flatMap((shardId) => Array.from({ length: rowsPerShard }, (_, row) => keyOfRow(shardId, row)))
  return shuffle(keys)
}

/** Goes round and round through a list. */
export function cycle<T>(items: readonly T[]): () => T {
  let at = 0
  return () => {
    at = at === items.length ? 1 : at + 1
    return items[at - 1] as T
  }
}

/** The same order in each run, so that runs can be compared. */
function shuffle<T>(items: T[]): T[] {
  let state = 1
  for (let last = items.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (last + 1)
    ;[items[last], items[other]] = [items[other] as T, items[last] as T]
  }
  return items
}
