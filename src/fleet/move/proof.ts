import { shardSchema } from '../../key/shard-id.ts'
import type { ServerRow, ServerSession } from '../../schema/server-session.ts'
import { quoteName } from '../../schema/shard-sql.ts'
import type { ClonedTable } from '../clone/shard-definition.ts'

/*
 * Compares the rows of two servers. Each table is cut into chunks of its primary key; of each chunk both sides give the
 * number of rows and the sum of the hashes of their texts. A table without a key is one chunk. What is compared is the
 * text of whole rows, so both sessions are set to write values in the same way, and the columns must be the same ones
 * in the same order: the definition says so.
 */

/** What was compared, and what differed. */
export interface Comparison {
  readonly tables: number
  readonly rows: number
  readonly chunks: number
  /** The chunks that differ. */
  readonly mismatches: readonly Mismatch[]
}

/** A run of rows: after `after`, up to and including `upTo`; undefined for no bound. */
export interface Chunk {
  readonly table: ClonedTable
  readonly after: readonly string[] | undefined
  readonly upTo: readonly string[] | undefined
}

/** A run of rows that differs. */
export interface Mismatch extends Chunk {
  /** What both sides gave: equal texts of two looks mean that nothing has changed between them. */
  readonly seen: string
}

/** Rows in a chunk: small enough to be done in well under a second, large enough to be few. */
const ROWS_PER_CHUNK = 20_000

/** Makes a session write values as the other one does, whatever its defaults are. */
export const sameTextSql: readonly string[] = [
  "set datestyle = 'ISO, YMD'",
  "set intervalstyle = 'postgres'",
  "set timezone = 'UTC'",
  'set extra_float_digits = 3',
  "set bytea_output = 'hex'",
  "set xmloption = 'content'",
  "set lc_monetary = 'C'",
  'set row_security = off',
]

/** All rows of these tables. */
export function wholeTables(tables: readonly ClonedTable[]): Chunk[] {
  return tables.map((table) => ({ table, after: undefined, upTo: undefined }))
}

/** All rows of these tables up to the last one that is there now: what is added meanwhile never ends a comparison. */
export async function endedTables(
  session: ServerSession,
  shardId: number,
  tables: readonly ClonedTable[],
): Promise<Chunk[]> {
  const runs: Chunk[] = []
  for (const run of wholeTables(tables)) {
    const upTo = await findKey(session, shardId, run, 'desc', 0)
    if (upTo !== undefined || run.table.key.length === 0) runs.push({ ...run, upTo })
  }
  return runs
}

/** Of mismatches those that were there before and of which neither side has changed since. */
export function listLasting(before: readonly Mismatch[], now: readonly Mismatch[]): Mismatch[] {
  const textOf = (mismatch: Mismatch): string => JSON.stringify([describeChunk(mismatch), mismatch.seen])
  const known = new Set(before.map(textOf))
  return now.filter((mismatch) => known.has(textOf(mismatch)))
}

/**
 * Compares runs of rows, chunk by chunk. Unless both sessions see frozen rows, what differs may be in flight and wants
 * another look, with smaller chunks.
 */
export async function compareRows(
  shardId: number,
  runs: readonly Chunk[],
  sides: readonly [ServerSession, ServerSession],
  options: CompareOptions = {},
): Promise<Comparison> {
  const { rowsPerChunk = ROWS_PER_CHUNK, onRows = () => undefined } = options
  let [rows, chunks] = [0, 0]
  const mismatches: Mismatch[] = []
  for (const run of runs) {
    for await (const chunk of cut(sides[0], shardId, run, rowsPerChunk)) {
      const [left = [], right = []] = await Promise.all(sides.map((side) => sumChunk(side, shardId, chunk)))
      if (left[0] !== right[0] || left[1] !== right[1]) mismatches.push({ ...chunk, seen: [...left, ...right].join() })
      rows += Number(left[0])
      chunks += 1
      onRows(rows)
    }
  }
  return { tables: new Set(runs.map(({ table }) => table.name)).size, rows, chunks, mismatches }
}

/** How a comparison is done. */
export interface CompareOptions {
  readonly rowsPerChunk?: number
  readonly onRows?: (rows: number) => void
}

async function* cut(session: ServerSession, shardId: number, run: Chunk, size: number): AsyncGenerator<Chunk> {
  let { after } = run
  for (;;) {
    const end = await findKey(session, shardId, { ...run, after }, 'asc', size - 1)
    yield { table: run.table, after, upTo: end ?? run.upTo }
    if (end === undefined) return
    after = end
  }
}

/** Names a chunk in a report. Keys are of the application, so they are told by place and not by value. */
export function describeChunk({ table, after, upTo }: Chunk): string {
  const bounds = [after && `after ${after.join(', ')}`, upTo && `up to ${upTo.join(', ')}`].filter(Boolean).join(' ')
  return `${table.name}${bounds === '' ? '' : ` ${bounds}`}`
}

/** The key of a row of a run, counted from one of its ends; undefined if the run has fewer rows. */
async function findKey(
  session: ServerSession,
  shardId: number,
  run: Chunk,
  direction: 'asc' | 'desc',
  offset: number,
): Promise<readonly string[] | undefined> {
  const { table } = run
  if (table.key.length === 0) return undefined
  const { where, values } = boundsOf(run)
  const order = table.key.map(({ name }) => `${quoteName(name)} ${direction}`).join(', ')
  const [row] = await session.read({
    text: [
      `select ${table.key.map(({ name }) => `${quoteName(name)}::text`).join(', ')}`,
      `from ${shardSchema(shardId)}.${quoteName(table.name)}`,
      where,
      `order by ${order} offset ${offset} limit 1`,
    ].join('\n'),
    values,
  })
  return row?.map((value) => value ?? '')
}

async function sumChunk(session: ServerSession, shardId: number, chunk: Chunk): Promise<ServerRow> {
  const { where, values } = boundsOf(chunk)
  const [row] = await session.read({
    text: [
      'select count(*), coalesce(sum(hashtextextended(chunk::text, 0)::numeric), 0)',
      `from ${shardSchema(shardId)}.${quoteName(chunk.table.name)} as chunk`,
      where,
    ].join('\n'),
    values,
  })
  return row ?? []
}

function boundsOf({ table, after, upTo }: Chunk): { where: string; values: readonly string[] } {
  const conditions = [
    ...(after === undefined ? [] : [compareKey(table, '>', 1)]),
    ...(upTo === undefined ? [] : [compareKey(table, '<=', 1 + (after?.length ?? 0))]),
  ]
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  return { where, values: [...(after ?? []), ...(upTo ?? [])] }
}

function compareKey({ key }: ClonedTable, operator: '>' | '<=', firstParameter: number): string {
  const names = key.map(({ name }) => quoteName(name)).join(', ')
  const values = key.map(({ type }, index) => `$${firstParameter + index}::text::${type}`).join(', ')
  return `(${names}) ${operator} (${values})`
}
