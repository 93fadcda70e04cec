import type { ClonedTable } from '../clone/shard-definition.ts'
import type { MoveContext } from './move-context.ts'
import { readLag } from './replication-sql.ts'
import { assertSlot } from './slot-state.ts'

/** How often it is told how far a copy is. */
const PROGRESS_MS = 500

const LINE_FEED = 10

/** Counts the rows and bytes of a throttled copy, and tells them from time to time. */
export class CopyProgress {
  readonly #context: MoveContext
  readonly #rowsTotal: number
  #rows = 0
  #bytes = 0
  #toldAt = performance.now()

  constructor(context: MoveContext, tables: readonly ClonedTable[]) {
    this.#context = context
    this.#rowsTotal = estimateRows(tables)
  }

  /** Counts a part of what COPY gives as text. */
  async note(chunk: Buffer): Promise<void> {
    this.#rows += countLines(chunk)
    this.#bytes += chunk.length
    if (performance.now() - this.#toldAt >= PROGRESS_MS) await this.tell()
  }

  /** Tells how far it is, and how much WAL the slot keeps at the source meanwhile. */
  async tell(): Promise<void> {
    const { source, objects } = this.#context
    const [row] = await source.withSession(async (session) => {
      await assertSlot(session, this.#context, objects.forward)
      return session.read(readLag(objects.forward))
    })
    this.#context.tell({
      phase: 'copying',
      step: 'copy rows',
      rows: this.#rows,
      rowsTotal: this.#rowsTotal,
      bytes: this.#bytes,
      ...(row?.[1] != null && { retainedBytes: Number(row[1]) }),
    })
    this.#toldAt = performance.now()
  }
}

/** About how many rows there are to be copied; a table that was never analysed counts as empty. */
export function estimateRows(tables: readonly ClonedTable[]): number {
  return tables.reduce((sum, table) => sum + Math.max(0, table.rowsEstimate), 0)
}

/** A row is a line: what would break one inside a value is written otherwise. */
function countLines(chunk: Buffer): number {
  let lines = 0
  for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, at + 1)) lines += 1
  return lines
}
