import { pause } from '../../pool/pause.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { quoteName } from '../../sql/quote.ts'
import { pauseAfter, tryWithBriefLocks } from './brief-locks.ts'
import { dropPublicationSql } from './replication-sql.ts'

/*
 * An update or a delete looks up the publications of its table, one by one. If one is dropped in between, PostgreSQL fails
 * the statement with XX000, "cache lookup failed for publication": an error out of nowhere in the application. So the
 * publication is dropped behind a lock that waits out the writers in flight, as the fence does.
 */

/** Attempts before it is dropped without the lock: some 5 s. What then may happen is rare, and undone as a whole. */
const TRIES = 16

/** Drops a publication, if it is there. */
export async function dropPublication(session: ServerSession, name: string, tries = TRIES): Promise<void> {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    if (await tryDrop(session, name)) return
    await pause(pauseAfter(attempt), undefined)
  }
  await session.execute([dropPublicationSql(name)])
}

/** False when a table is locked by others for too long. */
async function tryDrop(session: ServerSession, name: string): Promise<boolean> {
  const rows = await session.read({
    text: 'select schemaname, tablename from pg_publication_tables where pubname = $1 order by 1, 2',
    values: [name],
  })
  const tables = rows.map(([schema, table]) => `${quoteName(schema ?? '')}.${quoteName(table ?? '')}`)
  const locks = tables.length === 0 ? [] : [`lock table ${tables.join(', ')} in share row exclusive mode`]
  return await tryWithBriefLocks(session, [...locks, dropPublicationSql(name)])
}
