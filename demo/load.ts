import type { Datastore, Key } from '../src/index.ts'
import type { City } from './cities.ts'

/** Kind of the entities of the demo. */
export const CITY = 1

const BATCH = 2_000

/** A city, and the key under which it was stored. */
export interface StoredCity {
  readonly key: Key
  readonly city: City
}

/** Stores each city in the shard of its country, all shards side by side. */
export async function loadCities(
  db: Datastore,
  cities: readonly City[],
  report: (done: number) => void,
  signal: AbortSignal,
): Promise<StoredCity[]> {
  const stored: StoredCity[] = []
  const loadShard = async ([shardId, group]: [number, City[]]): Promise<void> => {
    for (const batch of chunksOf(group, BATCH)) {
      const keys = await db.putMany(shardId, CITY, batch, { signal })
      batch.forEach((city, index) => stored.push({ key: keyAt(keys, index), city }))
      report(stored.length)
    }
  }
  await Promise.all([...groupByShard(db, cities)].map(loadShard))
  return stored
}

/** Cuts a list into runs of `size`. */
export function* chunksOf<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

function groupByShard(db: Datastore, cities: readonly City[]): Map<number, City[]> {
  const groups = new Map(db.topology.shardIds.map((shardId): [number, City[]] => [shardId, []]))
  for (const city of cities) groups.get(db.shardFor(city.country))?.push(city)
  return groups
}

function keyAt(keys: readonly Key[], index: number): Key {
  const key = keys[index]
  if (key === undefined) throw new Error(`no key came back for the city at ${index}`)
  return key
}
