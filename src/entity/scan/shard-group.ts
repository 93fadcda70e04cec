import type { TextRow } from '../../pool/text-rows.ts'
import { signedRuns, type IdBounds } from '../find/id-bounds.ts'
import type { LastRead } from './read-size.ts'

/** Rows in the order of a scan, each with its signed id, and how long their bodies are together. */
export interface RowRun {
  readonly ids: bigint[]
  readonly rows: TextRow[]
  length: number
}

/** Where a run of rows ends. */
export interface RunLimits {
  readonly maxRows: number
  readonly maxLength: number
  /** Only rows up to this place; undefined for all. */
  readonly lastPlace: bigint | undefined
}

/** Most rows that are taken before it is looked again whether it is time to read on. */
const STRIDE = 256

/** By how much a read that takes too long is made smaller, and how often in a row: from 69 years down to two hours. */
const NARROWING = 8n
const MAX_NARROWINGS = 6

/**
 * Shards of one server that are read together, by one statement that merges them. What is not read yet is one stretch of
 * keys for all of them; what is read and not taken is at most two reads: one that is being taken from, and the next.
 *
 * Places are unsigned ids in the direction of the order: negated when it is descending, so that they always grow.
 */
export class ShardGroup {
  readonly shardIds: readonly number[]
  readonly #isAscending: boolean
  #stretch: IdBounds
  /** Rows that were taken are let go of at once: in a list that has grown old they would live on until it is collected. */
  #rows: (TextRow | undefined)[] = []
  #at = 0
  #ahead: (TextRow | undefined)[] | undefined
  #nextId: bigint | undefined
  /** Most ids in one read, while reads without a bound take too long. */
  #span: bigint | undefined
  #narrowings = 0
  /** Set while a read is under way. */
  reading: Promise<void> | undefined
  /** Why there is nothing more, although the stretch is not at its end. */
  failure: unknown
  /** What the last read was like. */
  lastRead: LastRead | undefined

  constructor(shardIds: readonly number[], stretch: IdBounds, isAscending: boolean) {
    this.shardIds = shardIds
    this.#stretch = stretch
    this.#isAscending = isAscending
  }

  /** The keys that are not read yet. */
  get stretch(): IdBounds {
    return this.#stretch
  }

  /** The first place that is not read yet, as an unsigned number. */
  get unreadFrom(): bigint {
    return this.#isAscending ? this.#stretch.first : this.#stretch.last
  }

  get isRead(): boolean {
    return this.#stretch.first > this.#stretch.last
  }

  get hasRow(): boolean {
    return this.#at < this.#rows.length
  }

  /** The place of the next row, or before which none comes; undefined when nothing is left. */
  get place(): bigint | undefined {
    if (!this.hasRow) return this.isRead ? undefined : this.#directed(this.unreadFrom)
    return this.#directed(BigInt.asUintN(64, this.#headId()))
  }

  /** Whether it is time to read on, so that rows are there when they are wanted. */
  get isRunningLow(): boolean {
    return this.#ahead === undefined && !this.isRead
  }

  /** The run of signed ids to read next. */
  get run(): IdBounds {
    const run = signedRuns(this.#stretch).at(this.#isAscending ? 0 : -1)
    if (run === undefined) throw new Error('bug: a read of a group that is read')
    const { first, last } = run
    if (this.#span === undefined || last - first < this.#span) return run
    return this.#isAscending ? { first, last: first + this.#span } : { first: last - this.#span, last }
  }

  /** Makes the next read smaller, because the last one took too long; false if it has been made small enough. */
  tryNarrow(): boolean {
    if (this.#narrowings === MAX_NARROWINGS) return false
    const { first, last } = this.run
    this.#narrowings += 1
    this.#span = (last - first) / NARROWING
    return true
  }

  /** Moves the next rows into a run: one at least, and some more as long as they are within the limits. */
  take(run: RowRun, { maxRows, maxLength, lastPlace }: RunLimits): void {
    const end = Math.min(this.#rows.length, this.#at + STRIDE, this.#at + maxRows - run.rows.length)
    do {
      const row = this.#rows[this.#at]
      if (row === undefined) throw new Error('bug: no row to take')
      run.ids.push(this.#headId())
      run.rows.push(row)
      run.length += row[2]?.length ?? 0
      this.#rows[this.#at] = undefined
      this.#at += 1
      this.#nextId = undefined
    } while (this.#at < end && run.length < maxLength && !this.#isBehind(lastPlace))
    if (!this.hasRow) this.#turn()
  }

  /** Takes in what a read of {@link run} has given, of at most `wanted` rows, and leaves the list empty. */
  add(rows: TextRow[], wanted: number): void {
    const { run } = this
    this.#narrowings = 0
    if (this.#span !== undefined && rows.length < wanted) this.#span *= 2n
    const last = rows.length < wanted ? undefined : rows.at(-1)?.[0]
    this.#advance(last == null ? (this.#isAscending ? run.last : run.first) : BigInt(last))
    this.lastRead = { wanted, rows: rows.length, length: lengthOf(rows) }
    this.#ahead = rows.splice(0)
    if (!this.hasRow) this.#turn()
  }

  /** Gives up a part of the shards: what is not read of them is left to the groups that are returned. */
  split(parts: readonly (readonly number[])[]): ShardGroup[] {
    const groups = parts.map((shardIds) => new ShardGroup(shardIds, this.#stretch, this.#isAscending))
    this.#stretch = { first: 1n, last: 0n }
    return groups
  }

  #turn(): void {
    this.#rows = this.#ahead ?? []
    this.#ahead = undefined
    this.#at = 0
    this.#nextId = undefined
  }

  /** Everything up to this signed id has been read. */
  #advance(id: bigint): void {
    const { first, last } = this.#stretch
    const place = BigInt.asUintN(64, id)
    this.#stretch = this.#isAscending ? { first: place + 1n, last } : { first, last: place - 1n }
  }

  #headId(): bigint {
    return (this.#nextId ??= BigInt(this.#rows[this.#at]?.[0] ?? ''))
  }

  #isBehind(lastPlace: bigint | undefined): boolean {
    return lastPlace !== undefined && this.#directed(BigInt.asUintN(64, this.#headId())) > lastPlace
  }

  #directed(place: bigint): bigint {
    return this.#isAscending ? place : -place
  }
}

function lengthOf(rows: readonly TextRow[]): number {
  return rows.reduce((sum, [, , body]) => sum + (body?.length ?? 0), 0)
}
