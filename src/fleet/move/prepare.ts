import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { selectLockHolders, tryLockShardWhole } from '../../schema/shard-lock.ts'
import type { ServerStatement } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { dropPublication } from './drop-publication.ts'
import { createMarkerTableSql } from './marker-sql.ts'
import type { MoveContext } from './move-context.ts'
import { assertNoSchema } from './preflight.ts'
import { publishedTables, targetTablesSql } from './prepare-sql.ts'
import { removeSchema } from './remove-schema.ts'
import {
  createPublicationSql,
  createSlot,
  dropSlot,
  endReader,
  findSubscription,
  listWriters,
} from './replication-sql.ts'
import { waitFor } from './wait.ts'

/** Pause before the locks of a shard are asked for again. */
const LOCK_PAUSE_MS = 200

/*
 * What a move makes before the first row is copied. Every object is recorded before it is made, and each of these can
 * be done again after a crash in the middle.
 */

/** Makes the tables at the target, and the table of markers on both sides. */
export async function createTables(context: MoveContext): Promise<void> {
  const { journal, source, target, move } = context
  const name = shardSchema(move.shardId)
  const definition = await context.definition()
  await journal.record({ serverId: source.serverId, kind: 'marker', name })
  await source.withSession((session) => session.execute([createMarkerTableSql(move.shardId)]))
  const schema = { serverId: target.serverId, kind: 'schema', name } as const
  // One that this move has not recorded is somebody else's, and would be dropped here or by an abort.
  if (await journal.hasRecorded(schema)) await removeEarlier(context)
  else await assertNoSchema(context)
  await journal.record(schema)
  await context.checkpoint('schema recorded')
  const { epoch } = await context.catalog.readFleet()
  const statements = targetTablesSql(definition, { target: source.serverId, epoch })
  await target.withSession((session) => session.transaction(['begin'], () => session.execute(statements)))
}

/** What an attempt has made that was not written down as done. */
function removeEarlier({ target, move }: MoveContext): Promise<void> {
  return target.withSession((session) => removeSchema(session, shardSchema(move.shardId), move.shardId))
}

/**
 * Publishes the tables of a shard, those that are there now, and the markers. From then on nobody changes what the shard
 * is made of: who does has a lock of the shard, and finds it published.
 *
 * @throws `HV_MOVE_BLOCKED` that names who is changing it
 */
export async function publish(context: MoveContext, link: FleetLink, name: string): Promise<void> {
  const tables = publishedTables(await context.definition())
  await context.journal.record({ serverId: link.serverId, kind: 'publication', name })
  await context.checkpoint(`publication ${name} recorded`)
  const { signal, limits } = context
  const deadline = performance.now() + limits.slotTimeoutMs
  const look = async (): Promise<true | undefined> => {
    const isLate = performance.now() > deadline
    if (await tryPublish(context.move.shardId, link, name, tables)) return true
    if (isLate) throw await changingError(context, link)
    return undefined
  }
  await waitFor(look, { pauseMs: LOCK_PAUSE_MS, signal })
}

/** Asks for the locks again and again: to wait for them would hold up an index that is made concurrently. */
function tryPublish(shardId: number, link: FleetLink, name: string, tables: readonly string[]): Promise<boolean> {
  return link.withSession(async (session) => {
    await dropPublication(session, name)
    return await session.transaction(['begin'], async () => {
      const [row] = await session.read(tryLockShardWhole(shardId))
      if (row?.[0] !== 't') return false
      await session.execute([createPublicationSql(name, shardId, tables)])
      return true
    })
  })
}

/**
 * Makes a slot, from which on changes are kept for the other side.
 *
 * @throws `HV_MOVE_BLOCKED` that names the transactions it would have to wait for
 */
export async function makeSlot(context: MoveContext, link: FleetLink, name: string): Promise<void> {
  await context.journal.record({ serverId: link.serverId, kind: 'slot', name })
  await context.checkpoint(`slot ${name} recorded`)
  const { slotTimeoutMs } = context.limits
  await link.withSession(async (session) => {
    await session.read(endReader(name))
    await session.read(dropSlot(name))
    await session.execute([`set lock_timeout = ${slotTimeoutMs}`])
    try {
      await session.read(createSlot(name)).catch((error: unknown) => explainSlot(error, context, link))
    } finally {
      await session.execute(['reset lock_timeout'])
    }
  }, context.signal)
}

/**
 * Makes one side follow the other: by what `statements` gives for the text with which it connects.
 *
 * @throws `HV_MOVE_UNREACHABLE` when one server does not let the other in
 */
export async function subscribe(
  context: MoveContext,
  { publisher, subscriber, name }: { publisher: FleetLink; subscriber: FleetLink; name: string },
  statements: (connection: string) => readonly string[],
): Promise<void> {
  const connection = await publisher.describeForSubscription()
  await context.journal.record({ serverId: subscriber.serverId, kind: 'subscription', name })
  await context.checkpoint(`subscription ${name} recorded`)
  await subscriber.withSession(async (session) => {
    if ((await session.read(findSubscription(name))).length > 0) return
    await session.execute(statements(connection)).catch((error: unknown) => {
      throw explainSubscribing(error, context, { from: subscriber.serverId, to: publisher.serverId })
    })
  }, context.signal)
}

/** What the subscriber says of its own connection to the publisher; the session with it is alive. */
const UNREACHABLE = /could not connect to the publisher: (.*)/s

function explainSubscribing(error: unknown, { move }: MoveContext, way: { from: string; to: string }): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  const reason = cause instanceof Error ? UNREACHABLE.exec(cause.message)?.[1] : undefined
  if (reason === undefined) return error
  const { moveId, shardId } = move
  const { code: sqlstate = '' } = cause as { code?: string }
  const message = `server ${way.from} cannot connect to server ${way.to}: ${reason.replaceAll(/\s+/g, ' ')}`
  return new HypervaultError('HV_MOVE_UNREACHABLE', message, { moveId, shardId, ...way, sqlstate }, { cause: error })
}

async function changingError({ move, limits }: MoveContext, link: FleetLink): Promise<Error> {
  const { shardId } = move
  const blockers = await listBlockers(link, selectLockHolders(shardId))
  const message = `shard ${shardId} on server ${link.serverId} has been in use by a migration or the creation of an index for ${limits.slotTimeoutMs} ms: ${blockers.join('; ')}`
  return new HypervaultError('HV_MOVE_BLOCKED', message, { serverId: link.serverId, shardId, blockers })
}

/** Throws why a slot could not be made: `HV_MOVE_BLOCKED` when there are transactions that it had to wait for. */
export async function explainSlot(error: unknown, { move, limits }: MoveContext, link: FleetLink): Promise<never> {
  if (!isHypervaultError(error, 'HV_SERVER_BUSY')) throw error
  const blockers = await listBlockers(link, listWriters)
  const message = `server ${link.serverId} has transactions that have prevented the creation of a slot for ${limits.slotTimeoutMs} ms: ${blockers.join('; ')}`
  throw new HypervaultError('HV_MOVE_BLOCKED', message, { serverId: link.serverId, shardId: move.shardId, blockers })
}

/** @param statement gives `(pid, user, state, seconds)` */
async function listBlockers(link: FleetLink, statement: ServerStatement): Promise<string[]> {
  const rows = await link.withSession((session) => session.read(statement))
  return rows.map(([pid, user, state, seconds]) => `process ${pid} of ${user} (${state}, ${seconds} s)`)
}
