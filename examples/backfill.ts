/*
 * A job that walks over all entities and changes some. It may be killed at any time: after each page it keeps the cursor,
 * and the next run goes on from there. A change that somebody makes meanwhile is not overwritten.
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Datastore, type Entity } from 'pg-hypervault'
import { startCluster } from 'pg-hypervault/testing'

const CITY = 1

/** Gives a city a slug; false if somebody changed the city since it was read, in which case the next run finds it. */
async function addSlug(db: Datastore, { key, body }: Entity): Promise<boolean> {
  const slug = (body.name ?? '').toLowerCase().replaceAll(/\W+/g, '-')
  const outcome = await db.update(key, { set: { slug } }, { ifBody: body })
  return outcome.status !== 'conflict'
}

/** Works until the end, or for so many pages; returns how many were changed. */
async function backfill(db: Datastore, cursorFile: string, maxPages = Infinity): Promise<number> {
  const after = await readFile(cursorFile, 'utf8').catch(() => undefined)
  let [pages, changed] = [0, 0]
  for await (const { entities, cursor } of db
    .scan({ kind: CITY, pageSize: 100, ...(after !== undefined && { after }) })
    .pages()) {
    const outcomes = await Promise.all(
      entities.filter(({ body }) => body.slug === undefined).map((city) => addSlug(db, city)),
    )
    changed += outcomes.filter(Boolean).length
    await writeFile(cursorFile, cursor)
    if (++pages >= maxPages) break
  }
  return changed
}

await using cluster = await startCluster({ servers: 2, shards: '1-9' })
await using db = new Datastore({ connections: cluster.connections })

const cities = Array.from({ length: 1_000 }, (_, n) => ({ name: `City No. ${n}` }))
await db.load(CITY, cities, { shardOf: ({ name }) => db.shardFor(name) }).finish()

const folder = await mkdtemp(join(tmpdir(), 'hypervault-backfill-'))
try {
  const cursorFile = join(folder, 'cursor')
  console.log(`the first run changed ${await backfill(db, cursorFile, 3)}, and was stopped`)
  console.log(`the second run changed ${await backfill(db, cursorFile)}`)
  const { total } = await db.count({ kind: CITY, where: { has: 'slug' } })
  console.log(`${total} of ${cities.length} have a slug`)
} finally {
  await rm(folder, { recursive: true })
}
