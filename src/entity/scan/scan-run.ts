import { isHypervaultError } from '../../errors.ts'
import { Key } from '../../key/key.ts'
import { AbortGroup } from '../../pool/abort-group.ts'
import type { TextRow } from '../../pool/text-rows.ts'
import type { Topology } from '../../topology/topology.ts'
import type { EntityGround } from '../entity-ground.ts'
import { decodeEntity } from '../rows/decode-entity.ts'
import type { Entity } from '../rows/entity.ts'
import { encodeCursor, type MissingStretch } from './cursor.ts'
import { PlaceHeap } from './place-heap.ts'
import { decideReadSize } from './read-size.ts'
import type { MissingShard, ScanPage } from './scan-page.ts'
import type { CheckedScan } from './scan-query.ts'
import { ServerLines } from './server-line.ts'
import type { ServerReader } from './server-reader.ts'
import { ShardGroup, type RowRun } from './shard-group.ts'
import { isTooSlow } from './too-slow.ts'

/*
 * The work behind one scan: a merge of sorted reads. The shards of a server are read in groups of up to GROUP_SIZE, by one
 * statement for each group, which the server merges; the groups are merged here.
 *
 *   shards ──▶ server merges a group ──▶ at most two reads in memory ──▶ heap of groups ──▶ page
 *
 * The heap holds each group under a place that none of its rows comes before: that of its next row, or the first that is
 * not read. Only a group with a row on top gives one; a group without a row on top is waited for. So a group that cannot
 * be read stops the scan where its first row could be, and not before.
 *
 *   a group    when a read                     then
 *   of many    is refused by the server        it falls into two, until the shard is alone that it was refused for
 *   of one     says that the shard is gone     the shard is followed to where it lives
 *   any        takes too long                  it is read in smaller stretches of keys
 *   any        before it, shards have moved    the group falls into one for each server
 *   any        fails otherwise                 the failure waits on top of the heap: it ends the scan, or the shards of the
 *                                              group are missing from there on
 *
 * The next read of a group is begun as soon as the one before is taken from, but no sooner than a second page is asked
 * for: who takes one page and leaves has nothing under way.
 *
 * Rows are let go of one by one as they are taken. A list that has grown old keeps what it holds alive even when it is
 * garbage itself, until the whole heap is looked through: that was 40 MB in a scan that needs three.
 */

/** What a scan needs of the entities. */
export interface ScanGround extends EntityGround {
  readonly topology: () => Topology
  readonly reader: ServerReader
}

/**
 * Most shards in one statement. Each costs the server two locks of a table that has room for some 6,000, and the
 * planner some 0.1 ms; fewer mean more statements.
 */
const GROUP_SIZE = 64

/** Most reads of one scan in flight on one server. */
const READS_PER_SERVER = 2

/** Most rows of the first read of a group, whose size nobody knows. */
const FIRST_ROWS = 128

/** Most rows in one read. More save little; fewer make the servers begin anew so often that the scan waits for them. */
const MAX_ROWS = 4096

/** Rows in one read of each group, all groups together. In memory there are up to twice as many. */
const WINDOW_ROWS = 16_384

/** Characters of bodies in one read of each group, all groups together. */
const WINDOW_LENGTH = 4 * 1024 * 1024

/** How long the end of a scan waits for reads in flight before it cuts them. */
const REST_MS = 100

/** Characters of bodies after which a page ends, however few entities it has. */
const PAGE_LENGTH = 8 * 1024 * 1024

/** Reads, merges, and keeps account of what is missing. */
export class ScanRun {
  readonly #scan: CheckedScan
  readonly #ground: ScanGround
  readonly #heap = new PlaceHeap<ShardGroup>()
  readonly #lines = new ServerLines(READS_PER_SERVER)
  readonly #missing = new Map<number, MissingShard>()
  readonly #missingStretches: MissingStretch[] = []
  readonly #reading = new Set<Promise<void>>()
  readonly #cut = new AbortController()
  readonly #abortable = { reject: (reason: unknown) => this.#cut.abort(reason) }
  #after: bigint | undefined
  #left: number
  #pagesGiven = 0
  #isBegun = false
  #isClosed = false

  constructor(scan: CheckedScan, ground: ScanGround) {
    this.#scan = scan
    this.#ground = ground
    this.#after = scan.position.after
    this.#left = scan.limit
  }

  /** The shards that have been left out so far, ascending. */
  get missingShards(): MissingShard[] {
    return [...this.#missing.values()].sort((a, b) => a.shardId - b.shardId)
  }

  /** The next page, and the last one if nothing follows. Not again after that. */
  async nextPage(): Promise<ScanPage> {
    if (!this.#isBegun) this.#begin()
    this.#cut.signal.throwIfAborted()
    const entities = await this.#takeEntities(Math.min(this.#scan.pageSize, this.#left))
    this.#left -= entities.length
    const hasMore = await this.#hasMore()
    this.#pagesGiven += 1
    return { entities, cursor: this.#cursor(), hasMore, missingShards: this.missingShards }
  }

  /** Whether the limit is reached. */
  get isAtLimit(): boolean {
    return this.#left === 0
  }

  /**
   * Begins nothing any more, and waits for what is under way: for a moment, so that its connection can be used again; what
   * takes longer is cut.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    const { signal } = this.#scan
    if (signal !== undefined) AbortGroup.of(signal).delete(this.#abortable)
    const timer = setTimeout(() => this.#cut.abort(), REST_MS)
    await Promise.all(this.#reading)
    clearTimeout(timer)
  }

  #begin(): void {
    this.#isBegun = true
    const { signal, position, query } = this.#scan
    signal?.throwIfAborted()
    if (signal !== undefined) AbortGroup.of(signal).add(this.#abortable)
    const left = new Set(this.#scan.shardIds ?? this.#ground.topology().shardIds)
    const isNamed = (shardId: number): boolean => this.#scan.shardIds === undefined || left.has(shardId)
    for (const { shardIds, from } of position.missing) {
      this.#enlist(shardIds.filter(isNamed), this.#stretchFrom(from))
      for (const shardId of shardIds) left.delete(shardId)
    }
    this.#enlist([...left], query.bounds)
    for (const group of this.#heap.items()) this.#read(group)
  }

  /** What is left of the query from a place on, whatever was given before. */
  #stretchFrom(from: bigint): ShardGroup['stretch'] {
    const { isAscending } = this.#scan.query
    const { first, last } = this.#scan.wholeBounds
    return isAscending ? { first: from > first ? from : first, last } : { first, last: from < last ? from : last }
  }

  #enlist(shardIds: readonly number[], stretch: ShardGroup['stretch']): void {
    const { isAscending } = this.#scan.query
    for (const part of this.#partsOf(shardIds)) this.#add(new ShardGroup(part, stretch, isAscending))
  }

  #add(group: ShardGroup): void {
    if (group.place !== undefined) this.#heap.push(group, group.place)
  }

  /** Shards by server, and not too many together. Those that no server has are alone. */
  #partsOf(shardIds: readonly number[]): number[][] {
    const byServer = new Map<string, number[]>()
    for (const shardId of shardIds) {
      const server = this.#ground.topology().findServer(shardId)?.serverId ?? `shard ${shardId}`
      const part = byServer.get(server)
      if (part === undefined) byServer.set(server, [shardId])
      else part.push(shardId)
    }
    return [...byServer.values()].flatMap(chunks)
  }

  async #takeEntities(count: number): Promise<Entity[]> {
    const run: RowRun = { ids: [], rows: [], length: 0 }
    await this.#takeRows(run, count)
    const { ids, rows } = run
    const last = ids.at(-1)
    if (last !== undefined) this.#after = BigInt.asUintN(64, last)
    return rows
      .splice(0)
      .map((row, index) => decodeEntity(new Key(ids[index] as bigint, this.#ground.settings.epochMs), row))
  }

  /** What comes before a failure is given first: the next page meets it again. */
  async #takeRows(run: RowRun, count: number): Promise<void> {
    try {
      while (run.rows.length < count && run.length < PAGE_LENGTH) {
        const group = this.#top()
        if (group === undefined) break
        if (group.hasRow) this.#take(group, run, count)
        else await this.#waitFor(group)
      }
    } catch (error) {
      if (run.rows.length === 0 || this.#cut.signal.aborted) throw error
    }
  }

  /** Takes from the group on top as long as none of the others comes before. */
  #take(group: ShardGroup, run: RowRun, maxRows: number): void {
    group.take(run, { maxRows, maxLength: PAGE_LENGTH, lastPlace: this.#heap.secondPlace })
    if (this.#pagesGiven > 0 && group.isRunningLow) this.#read(group)
  }

  /** A failure to look ahead belongs to the next page, if that is asked for. */
  async #hasMore(): Promise<boolean> {
    try {
      for (let group = this.#top(); group !== undefined; group = this.#top()) {
        if (group.hasRow) return true
        await this.#waitFor(group)
      }
      return false
    } catch {
      return true
    }
  }

  /** The group whose place is next, with a row or without; undefined when nothing is left. */
  #top(): ShardGroup | undefined {
    for (let top = this.#heap.top; top !== undefined; top = this.#heap.top) {
      const { item: group } = top
      const { place } = group
      if (place === undefined) this.#heap.removeTop()
      else if (place > top.place) this.#heap.raiseTop(place)
      else if (group.hasRow || group.failure === undefined) return group
      else this.#fail(group)
    }
    return undefined
  }

  async #waitFor(group: ShardGroup): Promise<void> {
    if (this.#isClosed) throw new Error('the scan is over')
    this.#read(group)
    await group.reading
    this.#cut.signal.throwIfAborted()
  }

  #fail(group: ShardGroup): void {
    this.#cut.signal.throwIfAborted()
    if (!this.#scan.isSkipping) throw group.failure
    this.#heap.removeTop()
    this.#missingStretches.push({ shardIds: group.shardIds, from: group.unreadFrom })
    for (const shardId of group.shardIds) {
      const serverId = this.#ground.topology().findServer(shardId)?.serverId
      this.#missing.set(shardId, { shardId, serverId, error: group.failure })
    }
  }

  /** Begins a read of a group, unless one is under way. */
  #read(group: ShardGroup): void {
    if (this.#isClosed || group.reading !== undefined || group.isRead || group.failure !== undefined) return
    const reading = this.#fill(group).finally(() => {
      group.reading = undefined
      this.#reading.delete(reading)
    })
    group.reading = reading
    this.#reading.add(reading)
  }

  /** Never rejects. */
  async #fill(group: ShardGroup): Promise<void> {
    try {
      const parts = this.#partsOf(group.shardIds)
      if (parts.length > 1) return this.#split(group, parts)
      const [shardId] = group.shardIds as [number]
      const { settings, follower } = this.#ground
      const { signal } = this.#cut
      if (group.shardIds.length > 1) return await this.#readOnce(group)
      await follower.run(shardId, { timeoutMs: settings.waitTimeoutMs, signal }, () => this.#readOnce(group))
    } catch (error) {
      if (isTooSlow(error) && group.tryNarrow()) return
      if (group.shardIds.length > 1 && isRefusal(error)) this.#split(group, halves(group.shardIds))
      else group.failure = error
    }
  }

  async #readOnce(group: ShardGroup): Promise<void> {
    const { signal } = this.#cut
    const rows = this.#sizeOf(group)
    const { shardIds, run } = group
    const { serverId } = this.#ground.topology().getServer(shardIds[0] as number)
    const read = async (): Promise<TextRow[]> => {
      if (this.#isClosed) throw new Error('the scan is over')
      return this.#ground.reader.read({ shardIds, run, rows }, this.#scan.query, signal)
    }
    group.add(await this.#lines.at(serverId).run(read), rows)
  }

  #split(group: ShardGroup, parts: readonly (readonly number[])[]): void {
    for (const part of group.split(parts)) {
      this.#add(part)
      this.#read(part)
    }
  }

  #sizeOf({ lastRead }: ShardGroup): number {
    const groups = Math.max(1, this.#heap.size)
    const maxRows = Math.max(1, Math.min(MAX_ROWS, Math.floor(WINDOW_ROWS / groups)))
    if (lastRead !== undefined) return decideReadSize(lastRead, { maxRows, maxLength: WINDOW_LENGTH / groups })
    return Math.min(FIRST_ROWS, maxRows, Math.min(this.#scan.pageSize, this.#left) + 1)
  }

  #cursor(): string {
    return encodeCursor({ after: this.#after, missing: this.#missingStretches }, this.#scan.shapeHash)
  }
}

/** A refusal by the server may be for one of the shards alone. */
function isRefusal(error: unknown): boolean {
  return isHypervaultError(error, 'HV_SHARD_MISSING') || isHypervaultError(error, 'HV_STATEMENT_FAILED')
}

function halves(shardIds: readonly number[]): number[][] {
  const middle = Math.ceil(shardIds.length / 2)
  return [shardIds.slice(0, middle), shardIds.slice(middle)]
}

function chunks(shardIds: readonly number[]): number[][] {
  const parts: number[][] = []
  for (let at = 0; at < shardIds.length; at += GROUP_SIZE) parts.push(shardIds.slice(at, at + GROUP_SIZE))
  return parts
}
