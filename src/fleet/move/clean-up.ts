import { pause } from '../../pool/pause.ts'
import { dropFenceSql } from '../../schema/fence-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { FleetLinks } from '../servers.ts'
import { endNamedSessions } from './copy-sql.ts'
import { dropPublication } from './drop-publication.ts'
import { openFenceOn } from './fence.ts'
import { cleanupKinds, type Cleanup, type CleanupKind, type Journal } from './journal.ts'
import { dropMarkerTableSql } from './marker-sql.ts'
import { dropBounded, removeSchema } from './remove-schema.ts'
import { dropSlot, dropSubscriptionSql, endReader, findSlot, findSubscription } from './replication-sql.ts'

/*
 * Takes away what a move has made: sessions before what they work on, subscriptions before the slots that they read, slots
 * before publications, and a schema before its fence, so that nobody writes into what is about to go. What is gone
 * already counts as taken away, so it can be done again after any crash.
 */

const SLOT_TRIES = 100
const SLOT_PAUSE_MS = 50
const SESSION_TRIES = 10
const SESSION_WAIT_MS = 1_000

type Remove = (session: ServerSession, name: string, shardId: number) => Promise<void>

const removers: Readonly<Record<CleanupKind, Remove>> = {
  subscription: async (session, name) => {
    if ((await session.read(findSubscription(name))).length > 0) await session.execute(dropSubscriptionSql(name))
  },
  session: endSessions,
  slot: removeSlot,
  publication: dropPublication,
  fence: removeFence,
  marker: (session, _, shardId) => session.execute([dropMarkerTableSql(shardId)]),
  schema: removeSchema,
}

/** Takes an object away that a move has made. What is gone already counts as taken away. */
export function removeObject(
  session: ServerSession,
  { kind, name }: Pick<Cleanup, 'kind' | 'name'>,
  shardId: number,
): Promise<void> {
  return removers[kind](session, name, shardId)
}

/** Takes away all that is recorded, or only these sorts. */
export async function cleanUp(
  journal: Journal,
  shardId: number,
  links: FleetLinks,
  {
    only = () => true,
    checkpoint,
  }: { only?: (cleanup: Cleanup) => boolean; checkpoint: (name: string) => Promise<void> },
): Promise<void> {
  const left = (await journal.listCleanups()).filter(only)
  const ordered = left.sort((a, b) => cleanupKinds.indexOf(a.kind) - cleanupKinds.indexOf(b.kind))
  for (const cleanup of ordered) {
    const link = await links.get(cleanup.serverId)
    await journal.assertHeld()
    await link.withSession((session) => removeObject(session, cleanup, shardId))
    await checkpoint(`${cleanup.kind} removed at ${cleanup.serverId}`)
    await journal.strike(cleanup)
  }
}

/** Sessions of an operator that is gone, or was cut off: after this none of them can commit anything. */
export async function endSessions(session: ServerSession, name: string): Promise<void> {
  for (let tries = SESSION_TRIES; tries > 0; tries -= 1) {
    if ((await session.read(endNamedSessions(name, SESSION_WAIT_MS))).length === 0) return
  }
  throw new Error(`sessions ${name} on server ${session.serverId} do not end`)
}

/** The reader of a slot may need a moment to notice that its subscription is gone. */
async function removeSlot(session: ServerSession, name: string): Promise<void> {
  for (let tries = SLOT_TRIES; tries > 0; tries -= 1) {
    if ((await session.read(findSlot(name))).length === 0) return
    await session.read(endReader(name))
    await session.read(dropSlot(name))
    await pause(SLOT_PAUSE_MS, undefined)
  }
  throw new Error(`slot ${name} on server ${session.serverId} is still in use`)
}

/** Opened first: writers do not wait until a reader lets the triggers go, and what the sequences were is dropped with it. */
async function removeFence(session: ServerSession, _name: string, shardId: number): Promise<void> {
  await openFenceOn(session, shardId)
  await dropBounded(session, dropFenceSql(shardId).join(';\n'))
}
