import { isDeepStrictEqual } from 'node:util'
import type { Datastore, Entity } from '../src/index.ts'
import { chunksOf, CITY, type StoredCity } from './load.ts'

const BATCH = 5_000

/** Each so many cities, one is read alone by `get` instead of together with others by `getMany`. */
const ALONE_EVERY = 100

/** Reads every city back by its key and tells how many came back as they were stored. */
export async function readBack(
  db: Datastore,
  stored: readonly StoredCity[],
  report: (done: number) => void,
  signal: AbortSignal,
): Promise<number> {
  let [equal, done] = [0, 0]
  for (const batch of chunksOf(stored, BATCH)) {
    const alone = batch.filter((_, index) => index % ALONE_EVERY === 0)
    const together = batch.filter((_, index) => index % ALONE_EVERY !== 0)
    const [entities, ...others] = await Promise.all([
      db.getMany(
        together.map(({ key }) => key),
        { signal },
      ),
      ...alone.map(({ key }) => db.get(key, { signal })),
    ])
    equal += countEqual(together, entities) + countEqual(alone, others)
    report((done += batch.length))
  }
  return equal
}

function countEqual(stored: readonly StoredCity[], entities: readonly (Entity | undefined)[]): number {
  return stored.filter((expected, index) => isSame(expected, entities[index])).length
}

function isSame({ key, city }: StoredCity, entity: Entity | undefined): boolean {
  return entity?.kind === CITY && entity.key.equals(key) && isDeepStrictEqual(entity.body, city)
}
