import type { Body } from '../../hstore/body.ts'
import { FEW_KEYS } from '../rows/batch-keys.ts'
import { Batch, type KeptRow } from './batch.ts'
import { KeyReserve } from './key-reserve.ts'

/** Bounds of one batch. */
export interface BatchLimits {
  readonly batchRows: number
  readonly batchBytes: number
}

/** The batches of one shard: the last one grows, the first one is stored next, one at a time. */
export class ShardQueue {
  readonly shardId: number
  /** Keys for its first batch. */
  readonly keys = new KeyReserve()
  readonly #limits: BatchLimits
  readonly #batches: Batch[] = []
  /** True while its first batch is being stored, or the shard is looked for. */
  isTaken = false
  /** True while the shard is looked for. */
  isAway = false

  constructor(shardId: number, limits: BatchLimits) {
    this.shardId = shardId
    this.#limits = limits
  }

  /** Appends a row and returns by how much the memory grew. Throws what {@link Batch.append} throws. */
  append(row: number, kind: number, body: Body, kept?: KeptRow): number {
    const last = this.#batches.at(-1)
    const batch = last === undefined || this.#fillOf(last) >= 1 ? new Batch() : last
    const before = batch.memory
    batch.append(row, kind, body, kept)
    if (batch !== last) this.#batches.push(batch)
    return batch.memory - before
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0
  }

  /**
   * For how many rows keys should be drawn while the batch before them is being stored: those of a first batch that grows no
   * more and has no keys; 0 for none.
   */
  get keysWanted(): number {
    const [first] = this.#batches
    if (!this.isTaken || this.isAway || first === undefined || !this.keys.isWanting) return 0
    const { rows, kept } = first
    return rows.length > FEW_KEYS && kept.length === 0 && this.#fillOf(first) >= 1 ? rows.length : 0
  }

  /** How full the first batch is, 1 and more for full. */
  get fill(): number {
    const [first] = this.#batches
    return first === undefined ? 0 : this.#fillOf(first)
  }

  /** The oldest row that waits. */
  get oldestRow(): number {
    return this.#batches[0]?.rows[0] ?? Infinity
  }

  /** Takes the first batch out. */
  take(): Batch {
    const first = this.#batches.shift()
    if (first === undefined) throw new Error('bug: a shard without rows was chosen')
    this.isTaken = true
    if (first.attempts === 0) first.firstTriedAt = performance.now()
    first.attempts += 1
    return first
  }

  /** Makes a batch that could not be stored, or its parts, the first again. */
  putBack(...batches: readonly Batch[]): void {
    this.#batches.unshift(...batches)
  }

  #fillOf({ rows, bytes }: Batch): number {
    return Math.max(rows.length / this.#limits.batchRows, bytes / this.#limits.batchBytes)
  }
}

/**
 * Decides which shard is stored next. The fullest, because a transaction costs the same for few rows and for many; but
 * when the oldest row holds back too many after it, the shard of the oldest.
 */
export function decideNext(queues: Iterable<ShardQueue>, isHeldBack: boolean): ShardQueue | undefined {
  let best: ShardQueue | undefined
  for (const queue of queues) {
    if (best === undefined || comesBefore(queue, best, isHeldBack)) best = queue
  }
  return best
}

function comesBefore(a: ShardQueue, b: ShardQueue, isHeldBack: boolean): boolean {
  return isHeldBack ? a.oldestRow < b.oldestRow : a.fill > b.fill
}
