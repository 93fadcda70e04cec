import type { Catalog } from '../../catalog/catalog.ts'
import { readShardDefinition } from '../clone/read-shard-definition.ts'
import type { ShardDefinition } from '../clone/shard-definition.ts'
import type { ShardLease } from '../lease.ts'
import type { FleetLinks } from '../servers.ts'
import { Journal } from './journal.ts'
import type { MoveContext, MoveLimits, MoveProgress } from './move-context.ts'
import type { MoveRecord } from './move-record.ts'
import { objectsOf } from './object-names.ts'

/** What hears of a move, and what may end it. */
export interface MoveHooks {
  /** Ends the move at the next wait; before the switch nothing changes for the writers. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: MoveProgress) => void) | undefined
  /** Called at named places between two steps. For tests of crashes. */
  readonly onCheckpoint?: ((name: string) => Promise<void> | void) | undefined
  /** Other bounds of the waits than the usual ones. */
  readonly limits?: Partial<Omit<MoveLimits, 'maxPauseMs'>> | undefined
  /** Longest pause of the writers in milliseconds; default that which the move began with. */
  readonly maxPauseMs?: number | undefined
}

/** Where a move is worked on. */
export interface MovePlace {
  readonly catalog: Catalog
  readonly links: FleetLinks
  readonly epochMs: number
}

/** Bounds of the waits of a move, unless others are given. */
export const defaultLimits: Omit<MoveLimits, 'maxPauseMs'> = Object.freeze({
  slotTimeoutMs: 30_000,
  stallTimeoutMs: 120_000,
  fenceTimeoutMs: 30_000,
  maxLagBytes: 64 * 1024,
})

/** Opens what the steps of a move work with. */
export async function openMove(
  { catalog, links, epochMs }: MovePlace,
  move: MoveRecord,
  lease: ShardLease,
  hooks: MoveHooks,
): Promise<MoveContext> {
  const { moveId, shardId, source, target } = move
  const [journal, from, to] = await Promise.all([
    Journal.open(move, catalog, lease),
    links.get(source, hooks.signal),
    links.get(target, hooks.signal),
  ])
  const { onProgress, onCheckpoint, signal } = hooks
  let definition: Promise<ShardDefinition> | undefined
  return Object.freeze<MoveContext>({
    move,
    objects: objectsOf(move),
    catalog,
    lease,
    journal,
    links,
    epochMs,
    source: from,
    target: to,
    limits: { ...defaultLimits, ...hooks.limits, maxPauseMs: hooks.maxPauseMs ?? move.options.maxPauseMs },
    signal,
    definition: () => (definition ??= from.withSession((session) => readShardDefinition(session, shardId))),
    tell: (progress) => onProgress?.(Object.freeze({ moveId, shardId, source, target, ...progress })),
    checkpoint: async (name) => {
      signal?.throwIfAborted()
      await onCheckpoint?.(name)
    },
  })
}
