import type { ServerSession } from '../../server/server-session.ts'
import type { ClonedTable } from '../clone/shard-definition.ts'
import { readPieces, sumPiece, type ChunkFilter } from './proof-sql.ts'

/*
 * Compares the rows of two servers. The rows of a table fall into chunks by a hash of the text of their key, and of each chunk
 * both sides give the number of rows and the sum of the hashes of their texts. A table without a key falls into chunks by
 * the text of whole rows. No order is needed, so neither collations nor indexes have a say, and each side reads its table
 * once, in pieces that are short enough to be given up between two of them.
 *
 * What is compared is the text of whole rows, so both sessions write values in the same way (sameTextSql), and the columns
 * must be the same ones in the same order: the definition says so. Both sessions must see frozen rows while they are read.
 */

/** What was compared, and what differed. */
export interface Comparison {
  readonly tables: number
  readonly rows: number
  /** Chunks with rows. */
  readonly chunks: number
  /** The chunks that differ. */
  readonly mismatches: readonly Mismatch[]
}

/** A chunk of a table that differs: the rows with these last bits of the hash. */
export interface Mismatch {
  readonly table: ClonedTable
  readonly bits: number
  readonly chunk: string
  /** Number of rows at both sides. */
  readonly rows: readonly [number, number]
  /** What both sides gave: equal texts of two looks mean that nothing has changed between them. */
  readonly seen: string
}

/** How a comparison is done. */
export interface CompareOptions {
  readonly onRows?: (rows: number) => void
  /** Ends it between two pieces of a table. */
  readonly signal?: AbortSignal | undefined
}

/** Bits of the first look: few enough chunks that their number costs nothing, enough that what differs is small. */
const FIRST_BITS = 12

/** Two to the power of this is about the most chunks of one look at what differs. */
const MAX_CHUNKS_BITS = 17

/** All bits of a hash: a chunk is one key then. */
const ALL_BITS = 64

/** Compares all rows of these tables. */
export function compareTables(
  shardId: number,
  tables: readonly ClonedTable[],
  sides: readonly [ServerSession, ServerSession],
  options: CompareOptions = {},
): Promise<Comparison> {
  const filters = tables.map((table) => ({ table, bits: FIRST_BITS, within: undefined }))
  return compareChunks(shardId, filters, sides, options)
}

/** Looks again at what differed: in smaller chunks, down to single keys, or with `isFinest` in the same ones. */
export function compareAgain(
  shardId: number,
  before: readonly Mismatch[],
  sides: readonly [ServerSession, ServerSession],
  { isFinest = false, ...options }: CompareOptions & { readonly isFinest?: boolean } = {},
): Promise<Comparison> {
  const tables = [...new Set(before.map(({ table }) => table))]
  const filters = tables.map((table): ChunkFilter => {
    const chunks = before.filter((mismatch) => mismatch.table === table)
    const bits = chunks[0]?.bits ?? FIRST_BITS
    const within = { bits, chunks: chunks.map(({ chunk }) => chunk) }
    return { table, bits: isFinest ? bits : refine(bits, chunks.length), within }
  })
  return compareChunks(shardId, filters, sides, options)
}

/** Of mismatches those that were there before and of which neither side has changed since. */
export function listLasting(before: readonly Mismatch[], now: readonly Mismatch[]): Mismatch[] {
  const textOf = ({ table, bits, chunk, seen }: Mismatch): string => JSON.stringify([table.name, bits, chunk, seen])
  const known = new Set(before.map(textOf))
  return now.filter((mismatch) => known.has(textOf(mismatch)))
}

/** Says what differs, a line for each table. Values of rows are of the application: they are counted, and never told. */
export function describeMismatches(mismatches: readonly Mismatch[], serverIds: readonly [string, string]): string[] {
  const tables = [...new Set(mismatches.map(({ table }) => table.name))]
  return tables.map((name) => {
    const own = mismatches.filter(({ table }) => table.name === name)
    const count = (side: 0 | 1): number => own.reduce((sum, { rows }) => sum + rows[side], 0)
    return `${name}: rows differ, at most ${count(0)} at ${serverIds[0]} and ${count(1)} at ${serverIds[1]}`
  })
}

function refine(bits: number, chunks: number): number {
  return Math.min(ALL_BITS, bits + Math.max(0, MAX_CHUNKS_BITS - Math.ceil(Math.log2(chunks))))
}

async function compareChunks(
  shardId: number,
  filters: readonly ChunkFilter[],
  sides: readonly [ServerSession, ServerSession],
  options: CompareOptions,
): Promise<Comparison> {
  let [rows, chunks] = [0, 0]
  const mismatches: Mismatch[] = []
  for (const filter of filters) {
    const onRows = (more: number): void => options.onRows?.(rows + more)
    const [left, right] = await Promise.all([
      sumChunks(sides[0], shardId, filter, { ...options, onRows }),
      sumChunks(sides[1], shardId, filter, { signal: options.signal }),
    ])
    for (const { rows: count } of left.values()) rows += count
    chunks += left.size
    mismatches.push(...findMismatches(filter, left, right))
  }
  return { tables: filters.length, rows, chunks, mismatches }
}

interface ChunkSum {
  readonly rows: number
  readonly hash: bigint
}

type ChunkSums = ReadonlyMap<string, ChunkSum>

const NOTHING: ChunkSum = { rows: 0, hash: 0n }

async function sumChunks(
  session: ServerSession,
  shardId: number,
  filter: ChunkFilter,
  { onRows, signal }: CompareOptions,
): Promise<ChunkSums> {
  const sums = new Map<string, ChunkSum>()
  let rows = 0
  for (const piece of await readPieces(session, shardId, filter.table.name)) {
    signal?.throwIfAborted()
    for (const [chunk = '', count, hash] of await session.read(sumPiece(shardId, filter, piece))) {
      const known = sums.get(chunk ?? '') ?? NOTHING
      sums.set(chunk ?? '', { rows: known.rows + Number(count), hash: known.hash + BigInt(hash ?? 0) })
      rows += Number(count)
    }
    onRows?.(rows)
  }
  return sums
}

function findMismatches({ table, bits }: ChunkFilter, left: ChunkSums, right: ChunkSums): Mismatch[] {
  const chunks = [...new Set([...left.keys(), ...right.keys()])]
  return chunks.flatMap((chunk) => {
    const [own, other] = [left.get(chunk) ?? NOTHING, right.get(chunk) ?? NOTHING]
    if (own.rows === other.rows && own.hash === other.hash) return []
    const seen = [own.rows, own.hash, other.rows, other.hash].join()
    return [{ table, bits, chunk, rows: [own.rows, other.rows] as const, seen }]
  })
}
