import type { Datastore, Key } from '../src/index.ts'
import type { City } from './cities.ts'

/** Kind of the entities of the demo. */
export const CITY = 1

/** A city, and the key under which it was stored. */
export interface StoredCity {
  readonly key: Key
  readonly city: City
}

/** Stores each city in the shard of its country, in all shards at once. The keys come in the order of the cities. */
export async function loadCities(
  db: Datastore,
  cities: readonly City[],
  report: (done: number) => void,
  signal: AbortSignal,
): Promise<StoredCity[]> {
  const stored: StoredCity[] = []
  const load = db.load(CITY, cities, {
    shardOf: (_body, row) => db.shardFor(cityAt(cities, row).country),
    signal,
    onProgress: ({ rows }) => report(rows),
  })
  for await (const key of load) stored.push({ key, city: cityAt(cities, stored.length) })
  return stored
}

/** Cuts a list into runs of `size`. */
export function* chunksOf<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

function cityAt(cities: readonly City[], row: number): City {
  const city = cities[row]
  if (city === undefined) throw new Error(`there is no city at ${row}`)
  return city
}
