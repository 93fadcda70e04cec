import type { ServerSession } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'
import type { MoveContext } from './move-context.ts'
import { subscribe } from './prepare.ts'
import { createSubscriptionSql, startSubscriptionSql } from './replication-sql.ts'

/*
 * The stream back carries what is written at the target, and nothing that came there from the source: the source has
 * those rows, would refuse them, and the stream would stand still for ever. Its slot was advanced past them in the
 * cutover. But the position of a slot is only written to disk by the next checkpoint: after a crash of the target the slot
 * is where it was made. So the subscription itself says what it wants:
 *
 *   both servers from PostgreSQL 16 on  `origin = none`: nothing that came to the publisher by another stream
 *   15                                  it begins behind the position of the cutover, which the catalog has
 */

/** Step whose result is the position in the WAL of the target at which the stream back begins. */
export const BACK_POSITION = 'way back: position'

/** First version whose streams can leave out what came by another stream. */
const FILTERING_VERSION = 160_000

/** Makes the source follow the target. */
export async function subscribeBack(context: MoveContext): Promise<void> {
  const { journal, objects, source, target } = context
  const name = objects.reverse
  const versions = await Promise.all([source, target].map(readVersion))
  const isFiltering = versions.every((version) => version >= FILTERING_VERSION)
  await subscribe(context, { publisher: target, subscriber: source, name }, (connection) =>
    isFiltering
      ? [createSubscriptionSql(name, connection, { isCopying: false, isLocalOnly: true })]
      : [
          createSubscriptionSql(name, connection, { isCopying: false, isDisabled: true }),
          ...startSubscriptionSql(name, String(journal.resultOf(BACK_POSITION))),
        ],
  )
}

function readVersion(link: FleetLink): Promise<number> {
  return link.withSession(async (session: ServerSession) => {
    const [row] = await session.read({ text: "select current_setting('server_version_num')" })
    return Number(row?.[0])
  })
}
