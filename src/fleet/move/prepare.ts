import { HypervaultError, isHypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import type { FleetLink } from '../servers.ts'
import type { MoveContext } from './move-context.ts'
import { createMarkerTableSql } from './marker-sql.ts'
import { publishedTables, targetTablesSql } from './prepare-sql.ts'
import {
  createPublicationSql,
  createSlot,
  dropPublicationSql,
  dropSlot,
  endReader,
  findSubscription,
  listWriters,
} from './replication-sql.ts'

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
  await journal.record({ serverId: target.serverId, kind: 'schema', name })
  await context.checkpoint('schema recorded')
  const { epoch } = await context.catalog.readFleet()
  const statements = targetTablesSql(definition, { target: source.serverId, epoch })
  await target.withSession((session) => session.transaction(['begin'], () => session.execute(statements)))
}

/** Publishes the tables of a shard, those that are there now, and the markers. */
export async function publish(context: MoveContext, link: FleetLink, name: string): Promise<void> {
  const tables = publishedTables(await context.definition())
  await context.journal.record({ serverId: link.serverId, kind: 'publication', name })
  await context.checkpoint(`publication ${name} recorded`)
  await link.withSession((session) =>
    session.transaction(['begin', dropPublicationSql(name)], () =>
      session.execute([createPublicationSql(name, context.move.shardId, tables)]),
    ),
  )
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
      await session.read(createSlot(name))
    } catch (error) {
      throw isHypervaultError(error, 'HV_SERVER_BUSY') ? await blockedError(context, link, slotTimeoutMs) : error
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
  const message = `server ${way.from} cannot connect to server ${way.to}: ${reason}`
  return new HypervaultError('HV_MOVE_UNREACHABLE', message, { moveId, shardId, ...way, sqlstate }, { cause: error })
}

async function blockedError(
  { move }: MoveContext,
  link: FleetLink,
  waitedMs: number,
): Promise<HypervaultError<'HV_MOVE_BLOCKED'>> {
  const rows = await link.withSession((session) => session.read(listWriters))
  const blockers = rows.map(([pid, user, state, seconds]) => `process ${pid} of ${user} (${state}, ${seconds} s)`)
  const message = `server ${link.serverId} has transactions that kept a slot from being made for ${waitedMs} ms: ${blockers.join('; ')}`
  return new HypervaultError('HV_MOVE_BLOCKED', message, { serverId: link.serverId, shardId: move.shardId, blockers })
}
