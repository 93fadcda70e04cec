/*
 * A feed of photos by time. Each user has a shard, so the photos of one user are together; the feed of all users walks
 * over all shards at once, newest first, page by page. A page ends with a cursor: a text that the next request brings
 * back, to whatever process answers it.
 */

import { Datastore, defineKind, integer, text, type KindKey } from 'pg-hypervault'
import { startCluster } from 'pg-hypervault/testing'

const Photo = defineKind(1, 'photo', { user: text(), caption: text(), likes: integer().default(0) })

type PhotoKey = KindKey<'photo'>

async function post(db: Datastore, user: string, caption: string): Promise<PhotoKey> {
  return db.kind(Photo).put(db.shardFor(user), { user, caption })
}

/** One page of the feed of everybody, the newest photos first. */
async function readFeed(db: Datastore, after?: string): Promise<{ lines: string[]; next: string | undefined }> {
  const scan = db.kind(Photo).scan({ order: 'desc', pageSize: 4, limit: 4, ...(after !== undefined && { after }) })
  for await (const { entities, cursor, hasMore } of scan.pages()) {
    const lines = entities.map(({ value }) => `${value.user}: ${value.caption} (${value.likes} likes)`)
    return { lines, next: hasMore ? cursor : undefined }
  }
  return { lines: [], next: undefined }
}

/** Two likes at the same time count as two: an update that comes in between is noticed, and the like is tried again. */
async function like(db: Datastore, key: PhotoKey): Promise<void> {
  for (;;) {
    const photo = await db.kind(Photo).get(key)
    if (photo === undefined) return
    const likes = photo.value.likes + 1
    const outcome = await db.kind(Photo).update(key, { set: { likes } }, { ifBody: photo.body })
    if (outcome.status !== 'conflict') return
  }
}

await using cluster = await startCluster({ servers: 2, shards: '1-9' })
await using db = new Datastore({ connections: cluster.connections })

const captions = ['sunrise', 'coffee', 'the long way home', 'a cat', 'rain', 'the same cat']
const keys: PhotoKey[] = []
for (const [index, caption] of captions.entries())
  keys.push(await post(db, ['ada', 'grace', 'ken'][index % 3] ?? '', caption))
const [, , , cat] = keys
if (cat !== undefined) await Promise.all([like(db, cat), like(db, cat)])

const first = await readFeed(db)
console.log(['newest', ...first.lines].join('\n  '))
const second = await readFeed(db, first.next)
console.log(['then', ...second.lines].join('\n  '))
