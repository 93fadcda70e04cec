import { MAX_SHARD_ID } from '../key/layout.ts'
import { shardSchema } from '../key/shard-id.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import {
  withServerSession,
  type ServerSession,
  type ServerStatement,
  type SessionOptions,
} from '../server/server-session.ts'

/** How much one shard holds. */
export interface ShardSize {
  readonly shardId: number
  /** Entities: counted, or as the statistics of the server have it. */
  readonly entities: number
  /** All tables of the schema with their indexes. */
  readonly bytes: number
}

/** What is asked for. */
export interface ShardSizeOptions extends Partial<SessionOptions> {
  /** Count the entities; default is the server's estimate, which is free and a little behind. */
  isExact?: boolean
}

/** Most shards that one counting statement reads. */
const SHARDS_PER_STATEMENT = 64

/** Sizes of all shards of a server, ascending: one statement, and for exact numbers one more per 64 shards. */
export async function listShardSizes(
  pool: ServerPool,
  { isExact = false, signal, ...bounds }: ShardSizeOptions = {},
): Promise<ShardSize[]> {
  return withServerSession(pool, { signal, ...bounds }, async (session) => {
    const sizes = await readSizes(session)
    return isExact ? countEntities(session, sizes) : sizes
  })
}

async function readSizes(session: ServerSession): Promise<ShardSize[]> {
  const rows = await session.read(selectSizes)
  return rows
    .map(([name, entities, bytes]) => ({
      shardId: Number(name?.slice('shard'.length)),
      entities: Number(entities),
      bytes: Number(bytes),
    }))
    .filter(({ shardId }) => shardId <= MAX_SHARD_ID)
}

async function countEntities(session: ServerSession, sizes: readonly ShardSize[]): Promise<ShardSize[]> {
  const counted: ShardSize[] = []
  for (let first = 0; first < sizes.length; first += SHARDS_PER_STATEMENT) {
    const batch = sizes.slice(first, first + SHARDS_PER_STATEMENT)
    const rows = await session.read(countSql(batch.map(({ shardId }) => shardId)))
    const counts = new Map(rows.map(([shardId, count]) => [Number(shardId), Number(count)]))
    counted.push(...batch.map((size) => ({ ...size, entities: counts.get(size.shardId) ?? size.entities })))
  }
  return counted
}

/** A table that was never analysed has -1 rows in the catalog; then the counters of its writers are nearer. */
const selectSizes: ServerStatement = Object.freeze({
  text: [
    'select nspname,',
    "  coalesce(max(coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), greatest(reltuples, 0)::bigint)) filter (where relname = 'entities'), 0),",
    '  coalesce(sum(pg_total_relation_size(c.oid)), 0)',
    'from pg_class as c join pg_namespace as n on n.oid = relnamespace',
    "where nspname ~ '^shard[0-9]{4}$' and relkind in ('r', 'm')",
    'group by nspname',
    "having bool_or(relname = 'entities')",
    'order by nspname',
  ].join('\n'),
})

function countSql(shardIds: readonly number[]): ServerStatement {
  return {
    text: shardIds
      .map((shardId) => `select ${shardId}, count(*) from ${shardSchema(shardId)}.entities`)
      .join('\nunion all\n'),
  }
}
