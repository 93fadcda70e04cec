import type { BatchTicket } from '../../entity/load/load-batch.ts'
import type { ReadMark } from '../input/read-mark.ts'

/*
 * How far an import is, as its journal says it. A record is known by its place in the input, from 0. The rows of one
 * shard are stored in their order, so one number says of a shard which of them are: all up to the last one.
 *
 *   records     0 … head … … … … … … … … … … read so far
 *   shard 7     ───────────────── stored ──┤├─ open: announced, perhaps stored ─┤
 *   shard 9     ──── stored ──┤
 *   rejected    all before head are in the file of rejects, and some behind
 *
 * Every batch is announced before it is committed. So whatever a crash cuts off, of each shard at most the last batch
 * that was announced is in doubt, and the server can tell.
 */

/** What an import was begun with. Another import may go on only with the same. */
export type ImportTerms = Readonly<Record<string, string | number | null>>

/** A batch that was announced and may or may not be stored. */
export interface OpenBatch {
  readonly ticket: BatchTicket
  /** The record of its last row. */
  readonly through: number
  readonly rows: number
}

/** What is stored of a shard. */
export interface ShardProgress {
  /** The record of the last row that is stored; -1 for none. */
  readonly through: number
  /** The last batch that is known to be stored. */
  readonly stored?: BatchTicket | undefined
  readonly open?: OpenBatch | undefined
}

/** One line of the journal. */
export type ImportEvent =
  | { readonly began: ImportTerms; readonly start: ReadMark }
  | { readonly at: ImportPlace; readonly shards: readonly (readonly [number, ShardProgress])[] }
  | { readonly opened: OpenBatch; readonly read: ReadMark }
  | { readonly stored: number }
  | { readonly dropped: number }
  | { readonly head: number }
  | { readonly broken: ReadMark }

/** The numbers of an import. */
export interface ImportPlace {
  /** Rows that are stored. */
  readonly rows: number
  /** All records before this one are done with. */
  readonly head: number
  /** The part of the input that the rest follows from: it must be the same. */
  readonly read: ReadMark
}

const untouched: ShardProgress = Object.freeze({ through: -1 })

/** The sum of the events. */
export class ImportState {
  readonly #terms: ImportTerms
  readonly #start: ReadMark
  #place: ImportPlace
  readonly #shards = new Map<number, ShardProgress>()

  /** Of an import that begins. */
  constructor(terms: ImportTerms, start: ReadMark) {
    this.#terms = terms
    this.#start = start
    this.#place = { rows: 0, head: 0, read: start }
  }

  /** The state that events of a journal add up to; undefined if they are of no import. */
  static from([first, ...others]: readonly ImportEvent[]): ImportState | undefined {
    if (first === undefined || !('began' in first)) return undefined
    const state = new ImportState(first.began, first.start)
    for (const event of others) state.apply(event)
    return state
  }

  get terms(): ImportTerms {
    return this.#terms
  }

  get place(): ImportPlace {
    return this.#place
  }

  /** How the input was as far as anything follows from it, ascending. */
  get marks(): readonly ReadMark[] {
    const { read } = this.#place
    return read.bytes > this.#start.bytes ? [this.#start, read] : [read]
  }

  get shards(): ReadonlyMap<number, ShardProgress> {
    return this.#shards
  }

  /** The record of the last row of a shard that is stored; -1 for none. */
  throughOf(shardId: number): number {
    return this.#ofShard(shardId).through
  }

  apply(event: ImportEvent): void {
    if ('opened' in event) this.#open(event.opened, event.read)
    else if ('stored' in event) this.#store(event.stored)
    else if ('dropped' in event) this.#drop(event.dropped)
    else if ('head' in event) this.#place = { ...this.#place, head: event.head }
    else if ('broken' in event) this.#place = { ...this.#place, read: event.broken }
    else if ('at' in event) this.#restore(event.at, event.shards)
  }

  /** Few events with the same sum. */
  summarize(): ImportEvent[] {
    return [
      { began: this.#terms, start: this.#start },
      { at: this.#place, shards: [...this.#shards] },
    ]
  }

  #open(open: OpenBatch, read: ReadMark): void {
    const { shardId } = open.ticket
    this.#shards.set(shardId, { ...this.#ofShard(shardId), open })
    this.#place = { ...this.#place, read }
  }

  #store(shardId: number): void {
    const { open } = this.#ofShard(shardId)
    if (open === undefined) return
    this.#shards.set(shardId, { through: open.through, stored: open.ticket })
    this.#place = { ...this.#place, rows: this.#place.rows + open.rows }
  }

  #drop(shardId: number): void {
    const { through, stored } = this.#ofShard(shardId)
    this.#shards.set(shardId, { through, stored })
  }

  #restore(place: ImportPlace, shards: readonly (readonly [number, ShardProgress])[]): void {
    this.#place = place
    for (const [shardId, progress] of shards) this.#shards.set(shardId, progress)
  }

  #ofShard(shardId: number): ShardProgress {
    return this.#shards.get(shardId) ?? untouched
  }
}
