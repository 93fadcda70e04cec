import { shardSchema } from '../../key/shard-id.ts'
import { sameAnswersSql } from '../../schema/same-answers.ts'
import type { ServerSession, ServerStatement } from '../../server/server-session.ts'
import { quoteName } from '../../sql/quote.ts'
import type { ClonedTable } from '../clone/shard-definition.ts'

/*
 * The statements of a proof. The application names its columns as it likes, and some like ours: a column is written
 * `hv_row."name"` and a row `hv_row.*`, which can mean nothing else, and what is beyond the innermost select has names of
 * ours alone.
 */

/** Makes a session write values as the other one does, whatever its defaults are. */
export const sameTextSql: readonly string[] = [
  ...sameAnswersSql.map((setting) => `set ${setting}`),
  "set lc_monetary = 'C'",
  'set row_security = off',
]

/** For sessions that only compare: a piece of a table is found by its place, and the workers are left to the streams. */
export const compareSessionSql: readonly string[] = [
  ...sameTextSql,
  'set enable_tidscan = on',
  'set max_parallel_workers_per_gather = 0',
  'set statement_timeout = 0',
  'set idle_in_transaction_session_timeout = 0',
]

/** Which rows of a table are summed, and how finely: by so many bits of the hash, of all rows or within coarser chunks. */
export interface ChunkFilter {
  readonly table: ClonedTable
  readonly bits: number
  readonly within: { readonly bits: number; readonly chunks: readonly string[] } | undefined
}

/** Blocks of a table, from the first on up to but not including the second; undefined for no bound. */
export type Piece = readonly [number | undefined, number | undefined]

/** Bytes of a piece: read within a second or two, so that an abort does not wait longer. */
const PIECE_BYTES = 64 * 1024 * 1024

/** Cuts a table into pieces. The last one is open: a table grows, and what a frozen session sees lies in front of that. */
export async function readPieces(session: ServerSession, shardId: number, table: string): Promise<Piece[]> {
  const [row] = await session.read({
    text: [
      "select pg_relation_size($1::regclass) / current_setting('block_size')::bigint, pg_table_size($1::regclass)",
    ].join('\n'),
    values: [qualify(shardId, table)],
  })
  const [blocks, bytes] = [Number(row?.[0]), Number(row?.[1])]
  const count = Math.max(1, Math.min(blocks, Math.ceil(bytes / PIECE_BYTES)))
  const bounds = Array.from({ length: count - 1 }, (_, index) => Math.floor(((index + 1) * blocks) / count))
  return [undefined, ...bounds].map((from, index) => [from, bounds[index]])
}

/** Sums the rows of a piece: `(chunk, rows, sum of hashes)`. */
export function sumPiece(shardId: number, { table, bits, within }: ChunkFilter, [from, to]: Piece): ServerStatement {
  const key = table.key.map(({ name }) => `hv_row.${quoteName(name)}`).join(', ')
  const hash = hashOf(key === '' ? 'hv_row.*' : key)
  const conditions = [
    ...(from === undefined ? [] : [`hv_row.ctid >= '(${from},0)'::tid`]),
    ...(to === undefined ? [] : [`hv_row.ctid < '(${to},0)'::tid`]),
    ...(within === undefined ? [] : [`${hash} & $2::bigint = any ($3::bigint[])`]),
  ]
  return {
    text: [
      'select hv_chunk, count(*), sum(hv_hash)',
      'from (',
      `  select ${hash} & $1::bigint as hv_chunk, ${hashOf('hv_row.*')}::numeric as hv_hash`,
      `  from ${qualify(shardId, table.name)} as hv_row`,
      ...(conditions.length === 0 ? [] : [`  where ${conditions.join(' and ')}`]),
      ') as hv_hashed',
      'group by hv_chunk',
    ].join('\n'),
    values: [maskOf(bits), ...(within === undefined ? [] : [maskOf(within.bits), within.chunks])],
  }
}

/** The text of a row of values tells null from an empty text, and is the same under every collation. */
function hashOf(columns: string): string {
  return `hashtextextended(row(${columns})::text collate "C", 0)`
}

function maskOf(bits: number): string {
  return String(BigInt.asIntN(64, (1n << BigInt(bits)) - 1n))
}

function qualify(shardId: number, table: string): string {
  return `${shardSchema(shardId)}.${quoteName(table)}`
}
