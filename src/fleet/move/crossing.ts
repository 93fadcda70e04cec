import { shardSchema } from '../../key/shard-id.ts'
import { carrySequencesSql } from '../../schema/closed-sequences-sql.ts'
import type { ServerSession } from '../../server/server-session.ts'
import type { FleetLink } from '../servers.ts'
import { cutOver, type CutoverEnd } from './cut-over.ts'
import { openFence } from './fence.ts'
import type { Cleanup } from './journal.ts'
import { readLeft } from './key-floor.ts'
import { watchDefinition } from './late-changes.ts'
import { findMarker } from './marker-sql.ts'
import type { MoveContext } from './move-context.ts'
import type { MovePhase } from './move-record.ts'
import { advanceSlot, flushSql } from './replication-sql.ts'
import { assertSameDefinition, assertSameTables } from './same-definition.ts'
import type { ComparedSides } from './snapshots.ts'
import { FENCE_READ, readFenceOf } from './stray-writes.ts'
import { switchOver } from './switch.ts'
import { BACK_POSITION } from './turn.ts'

/** The cutover from the source to the target. */
export async function crossForward(context: MoveContext, sides: ComparedSides): Promise<CutoverEnd> {
  const { source, target, objects } = context
  const { schema, fence, marker } = cleanupsOf(context)
  return cross(context, sides, {
    from: source,
    to: target,
    phase: 'switched',
    // The fence stays until the tables that it guards are dropped.
    keep: [schema(target), fence(source)],
    drop: [schema(source), marker(target), fence(target)],
    backSlot: objects.reverse,
  })
}

/** The cutover back, over the stream that runs since the first one. */
export function crossBackward(context: MoveContext, sides: ComparedSides): Promise<CutoverEnd> {
  const { source, target } = context
  const { schema, fence } = cleanupsOf(context)
  return cross(context, sides, {
    from: target,
    to: source,
    phase: 'reversing',
    keep: [schema(source), fence(target)],
    drop: [schema(target), fence(source)],
    backSlot: undefined,
  })
}

interface Crossing {
  readonly from: FleetLink
  readonly to: FleetLink
  readonly phase: MovePhase
  readonly keep: readonly Cleanup[]
  readonly drop: readonly Cleanup[]
  /** Slot at `to` whose stream begins with the switch. */
  readonly backSlot: string | undefined
}

async function cross(context: MoveContext, sides: ComparedSides, crossing: Crossing): Promise<CutoverEnd> {
  const { move, catalog, lease, limits, journal, signal, epochMs } = context
  const { moveId, shardId } = move
  const { phase, keep, drop, backSlot } = crossing
  // Not under the signal: what has been fenced must be opened again, whoever gives up.
  const [from, to] = [crossing.from.under(undefined), crossing.to.under(undefined)]
  const assertUnchanged = await watchDefinition(context, sides)
  await assertSameDefinition(context)
  const { tables, sequences } = await context.definition()
  const { epoch } = await catalog.readFleet()
  await journal.record(cleanupsOf(context).fence(from))
  const change = { moveId, shardId, from: from.serverId, to: to.serverId, phase, keep, drop }
  return from.withSession((fromSession) =>
    to.withSession(async (toSession) => {
      const skipPast = async (): Promise<void> => {
        await toSession.execute(flushSql)
        if (backSlot === undefined) return
        const [row] = await toSession.read(advanceSlot(backSlot))
        journal.adopt(BACK_POSITION, row?.[0])
      }
      await skipPast()
      await warmUp(fromSession, toSession, context)
      const names = tables.map(({ name }) => name)
      return cutOver({
        shardId,
        epochMs,
        target: to.serverId,
        epoch: epoch + 1,
        token: lease.token,
        assertHeld: () => lease.assertHeld(),
        marker: `${phase} ${Date.now()}`,
        tables: names,
        from: fromSession,
        to: toSession,
        maxPauseMs: limits.maxPauseMs,
        fenceTimeoutMs: limits.fenceTimeoutMs,
        signal,
        assertSameTables: async () => {
          await assertSameTables(fromSession, move, [...names, ...sequences])
          journal.adopt(FENCE_READ, await readFenceOf(fromSession, shardId))
        },
        assertUnchanged,
        openSnapshots: () => sides.freeze(),
        startReverse: skipPast,
        switchOver: (leftMs) => {
          const steps = backSlot === undefined ? [] : [BACK_POSITION, FENCE_READ]
          const done = Object.fromEntries(steps.map((step) => [step, journal.resultOf(step)]))
          return switchOver(catalog, lease, { ...change, done }, leftMs)
        },
        letWrite: () => openFence(to, { shardId, session: toSession }),
        letWriteAgain: () => openFence(from, { shardId, session: fromSession, token: lease.token }),
        checkpoint: (name) => context.checkpoint(name),
      })
    }),
  )
}

/** Runs once, without effect, what writers wait for later: then its code and its catalogs are in memory. */
async function warmUp(from: ServerSession, to: ServerSession, { move, epochMs }: MoveContext): Promise<void> {
  const { shardId } = move
  await Promise.all([
    readLeft(from, { shardId, epochMs }),
    to.read(findMarker(shardId, '')).then(() => to.execute([carrySequencesSql(shardId, {})])),
  ])
}

function cleanupsOf({ move }: MoveContext): Record<'schema' | 'fence' | 'marker', (link: FleetLink) => Cleanup> {
  const name = shardSchema(move.shardId)
  const of =
    (kind: Cleanup['kind']) =>
    ({ serverId }: FleetLink): Cleanup => ({ serverId, kind, name })
  return { schema: of('schema'), fence: of('fence'), marker: of('marker') }
}
