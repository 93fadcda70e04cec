import type { Body } from '../../hstore/body.ts'
import { decodeBinaryHstore } from '../../hstore/decode-binary.ts'
import { NO_ROOM, splitHstore, tryWriteHstore } from '../../hstore/encode-binary.ts'

/*
 * Rows of one shard in the binary format of COPY: a signature, then for each row its number of columns and each column
 * with its length, then a trailer. Encoded as they come, so that what waits is bytes and not objects; the ids are put
 * in later. A row lies in one piece of memory, so that its id does, unless it is larger than any piece.
 */

/** Size of the first piece of memory; each is twice the one before. Many shards with few rows each need little. */
const MIN_CHUNK = 1024
const MAX_CHUNK = 256 * 1024

/** `PGCOPY\n\377\r\n\0`, then no flags and no extension. */
const SIGNATURE = Buffer.from(`PGCOPY\n\xff\r\n\0${'\0'.repeat(8)}`, 'latin1')

/** In the place of the number of columns. */
const TRAILER = Buffer.from([0xff, 0xff])

/** What comes before the body of a row: number of columns; id, kind, and the length of the body. */
const ROW_START = Buffer.from([0, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0])
const ID_AT = 6
const KIND_AT = 18
const LENGTH_AT = 20

/** Rows of a part behind a row that was refused: where one is refused others often are, and each costs its whole batch. */
const PART_ROWS = 256

/** What the bookkeeping of a row costs beside its bytes. */
const ROW_OVERHEAD = 24

/** What it costs more when the row keeps its key. */
const KEPT_OVERHEAD = 80

/** What a row was before it is stored again. */
export interface KeptRow {
  /** Signed. */
  readonly id: bigint
  readonly updated: Date | null
}

/** A piece of memory, and where in it the ids belong. There is always room for the trailer. */
class Chunk {
  readonly size: number
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #idsAt: number[] = []
  #used = 0

  constructor(size: number) {
    this.size = size
    this.#bytes = Buffer.allocUnsafeSlow(size)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, size)
  }

  get room(): number {
    return this.size - TRAILER.length - this.#used
  }

  get filled(): Buffer {
    return this.#bytes.subarray(0, this.#used)
  }

  get filledWithTrailer(): Buffer {
    TRAILER.copy(this.#bytes, this.#used)
    return this.#bytes.subarray(0, this.#used + TRAILER.length)
  }

  /** Appends as much as there is room for, and returns how much that was. */
  append(bytes: Buffer): number {
    const length = bytes.copy(this.#bytes, this.#used, 0, this.room)
    this.#used += length
    return length
  }

  /** Begins a row; its body of this length comes next, and may end in another chunk. */
  startRow(kind: number, bodyLength: number): void {
    const start = this.#used
    this.append(ROW_START)
    this.#view.setInt16(start + KIND_AT, kind)
    this.#view.setInt32(start + LENGTH_AT, bodyLength)
    this.#idsAt.push(start + ID_AT)
  }

  /** Appends a whole row and returns its length, or {@link NO_ROOM}. */
  tryRow(kind: number, body: Body): number {
    const bodyAt = this.#used + ROW_START.length
    const end = tryWriteHstore(body, this.#bytes, bodyAt)
    if (end === NO_ROOM || end + TRAILER.length > this.size) return NO_ROOM
    this.startRow(kind, end - bodyAt)
    this.#used = end
    return ROW_START.length + end - bodyAt
  }

  /** Appends a row as it was encoded before; there must be room for all of it. */
  appendRow(row: Buffer): void {
    this.#idsAt.push(this.#used + ID_AT)
    this.append(row)
  }

  /** Puts ids in, from `ids[first]` on, and returns the index of the next. */
  setIds(ids: readonly bigint[], first: number): number {
    this.#idsAt.forEach((at, index) => this.#view.setBigInt64(at, ids[first + index] as bigint))
    return first + this.#idsAt.length
  }
}

/** Rows that are stored together or not at all. */
export class Batch {
  /** Places in the source of the rows. */
  readonly rows: number[] = []
  /** What each row was before, when the rows have keys already; otherwise empty. */
  readonly kept: KeptRow[] = []
  readonly #chunks: Chunk[] = []
  /** Bytes of the rows. */
  bytes = 0
  /** Bytes of memory that the rows take. */
  memory = 0
  /** How often it was begun to store this. */
  attempts = 0
  /** When that was begun first. */
  firstTriedAt = 0

  /**
   * Appends a row.
   *
   * @param kept what the row was before; of a batch all rows have it, or none
   * @throws TypeError or RangeError for an invalid body; nothing is appended then
   */
  append(row: number, kind: number, body: Body, kept?: KeptRow): void {
    const length = this.#tryAppend(kind, body)
    this.bytes += length === NO_ROOM ? this.#appendLarge(kind, body) : length
    this.memory += kept === undefined ? ROW_OVERHEAD : ROW_OVERHEAD + KEPT_OVERHEAD
    this.rows.push(row)
    if (kept !== undefined) this.kept.push(kept)
  }

  setIds(ids: readonly bigint[]): void {
    if (ids.length !== this.rows.length) throw new Error(`bug: ${ids.length} ids for ${this.rows.length} rows`)
    this.#chunks.reduce((first, chunk) => chunk.setIds(ids, first), 0)
  }

  /** What to send. */
  stream(): Buffer[] {
    const last = this.#chunks.length - 1
    return this.#chunks.map((chunk, index) => (index === last ? chunk.filledWithTrailer : chunk.filled))
  }

  /**
   * What is left without a row: its body, and the other rows in their order as batches, those before it and those after it
   * in small parts.
   */
  without(row: number): { readonly body: Body; readonly rest: Batch[] } {
    const at = this.rows.indexOf(row)
    const encoded = this.#split()
    const part = (first: number, end: number): Batch => this.#part(encoded, range(first, end))
    const behind = Array.from({ length: Math.ceil((this.rows.length - at - 1) / PART_ROWS) }, (_, index) => {
      const first = at + 1 + index * PART_ROWS
      return part(first, Math.min(first + PART_ROWS, this.rows.length))
    })
    const body = decodeBody(encoded[at] as Buffer)
    return { body, rest: at === 0 ? behind : [part(0, at), ...behind] }
  }

  /** What is left without the rows of these keys: their places and bodies, and all others as one batch, if there are any. */
  withoutKeys(ids: ReadonlySet<bigint>): {
    readonly left: readonly (readonly [number, Body])[]
    readonly rest: Batch[]
  } {
    const encoded = this.#split()
    const isLeft = (at: number): boolean => ids.has((this.kept[at] as KeptRow).id)
    const [left, others] = [
      range(0, this.rows.length).filter(isLeft),
      range(0, this.rows.length).filter((at) => !isLeft(at)),
    ]
    return {
      left: left.map((at) => [this.rows[at] as number, decodeBody(encoded[at] as Buffer)] as const),
      rest: others.length === 0 ? [] : [this.#part(encoded, others)],
    }
  }

  #split(): Buffer[] {
    return splitRows(Buffer.concat(this.#chunks.map((chunk) => chunk.filled)).subarray(SIGNATURE.length))
  }

  /** A batch of some of the rows, by their places in this one. */
  #part(encoded: readonly Buffer[], places: readonly number[]): Batch {
    const batch = new Batch()
    const some = places.map((at) => encoded[at] as Buffer)
    for (const at of places) batch.rows.push(this.rows[at] as number)
    if (this.kept.length > 0) for (const at of places) batch.kept.push(this.kept[at] as KeptRow)
    batch.bytes = some.reduce((sum, { length }) => sum + length, 0)
    batch.memory = places.length * ROW_OVERHEAD + batch.kept.length * KEPT_OVERHEAD
    const chunk = batch.#add(batch.#makeChunk(SIGNATURE.length + batch.bytes + TRAILER.length))
    for (const row of some) chunk.appendRow(row)
    return batch
  }

  /** Tries the last chunk, and then new ones up to the largest. */
  #tryAppend(kind: number, body: Body): number {
    const last = this.#chunks.at(-1)
    let length = last?.tryRow(kind, body) ?? NO_ROOM
    for (let size = nextSize(last?.size); length === NO_ROOM; size = nextSize(size)) {
      const chunk = this.#makeChunk(size)
      length = chunk.tryRow(kind, body)
      if (length !== NO_ROOM) this.#add(chunk)
      else if (size === MAX_CHUNK) return NO_ROOM
    }
    return length
  }

  #appendLarge(kind: number, body: Body): number {
    const { byteLength, pieces } = splitHstore(body)
    this.#roomFor(ROW_START.length).startRow(kind, byteLength)
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) at += this.#roomFor(1).append(piece.subarray(at))
    }
    return ROW_START.length + byteLength
  }

  #roomFor(bytes: number): Chunk {
    const last = this.#chunks.at(-1)
    return last !== undefined && last.room >= bytes ? last : this.#add(this.#makeChunk(MAX_CHUNK))
  }

  #makeChunk(size: number): Chunk {
    const chunk = new Chunk(size)
    if (this.#chunks.length === 0) chunk.append(SIGNATURE)
    return chunk
  }

  #add(chunk: Chunk): Chunk {
    this.#chunks.push(chunk)
    this.memory += chunk.size
    return chunk
  }
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}

function decodeBody(row: Buffer): Body {
  return decodeBinaryHstore(row.subarray(ROW_START.length))
}

/** Each row by itself. */
function splitRows(bytes: Buffer): Buffer[] {
  const rows: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + ROW_START.length + bytes.readInt32BE(at + LENGTH_AT)
    rows.push(bytes.subarray(at, end))
    at = end
  }
  return rows
}

function nextSize(size: number | undefined): number {
  return size === undefined ? MIN_CHUNK : Math.min(size * 2, MAX_CHUNK)
}
