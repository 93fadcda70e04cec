import type { Catalog } from '../../catalog/catalog.ts'
import type { ShardDefinition } from '../clone/shard-definition.ts'
import type { ShardLease } from '../lease.ts'
import type { FleetLink, FleetLinks } from '../servers.ts'
import type { Journal } from './journal.ts'
import type { MovePhase, MoveRecord } from './move-record.ts'
import type { MoveObjects } from './object-names.ts'

/** What a move tells while it goes on. */
export interface MoveProgress {
  readonly moveId: number
  readonly shardId: number
  readonly source: string
  readonly target: string
  readonly phase: MovePhase
  /** What is being done, in words. */
  readonly step: string
  readonly rows?: number
  readonly rowsTotal?: number
  readonly bytes?: number
  /** Changes that are not on the other side yet, in bytes of WAL. */
  readonly lagBytes?: number
  /** WAL that the slot keeps on disk. */
  readonly retainedBytes?: number
  readonly pauseMs?: number
}

/** Bounds of the waits of a move, in milliseconds. */
export interface MoveLimits {
  readonly maxPauseMs: number
  /** Longest wait for transactions that keep a slot from being made. */
  readonly slotTimeoutMs: number
  /** Longest time without any progress of copy or catch-up. */
  readonly stallTimeoutMs: number
  /** Longest time for all attempts to put up the fence. */
  readonly fenceTimeoutMs: number
  /** Lag with which the cutover begins, in bytes. */
  readonly maxLagBytes: number
}

/** A move as it is looked at, which changes nothing and needs no lease. */
export interface MoveSight {
  readonly move: MoveRecord
  readonly objects: MoveObjects
  readonly journal: Pick<Journal, 'phase' | 'resultOf'>
  readonly source: FleetLink
  readonly target: FleetLink
  readonly limits: MoveLimits
  readonly signal: AbortSignal | undefined
  readonly epochMs: number
  /** What the shard is made of, read once. */
  definition(): Promise<ShardDefinition>
  tell(progress: Omit<MoveProgress, 'moveId' | 'shardId' | 'source' | 'target'>): void
}

/** What the steps of a move work with. */
export interface MoveContext extends MoveSight {
  readonly catalog: Catalog
  readonly lease: ShardLease
  readonly journal: Journal
  readonly links: FleetLinks
  /** A named place between two steps, where a test may stop. */
  checkpoint(name: string): Promise<void>
}
