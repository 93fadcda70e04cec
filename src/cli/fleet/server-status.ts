import { ServerPool } from '../../pool/server-pool.ts'
import type { PoolStats } from '../../pool/stats.ts'
import { findProblems } from '../../schema/find-problems.ts'
import { inspectServer, type ServerInspection } from '../../schema/inspect.ts'
import { listShardSizes } from '../../schema/shard-sizes.ts'
import { withServerSession } from '../../server/server-session.ts'
import type { Server } from '../../topology/connection-entry.ts'
import { formatShardRanges } from '../../topology/shard-range.ts'
import type { Config } from '../config/config.ts'
import { toFailure, type Failure } from '../terminal/failure.ts'

/** The shards of a server. */
export interface ShardsStatus {
  readonly expected: number
  readonly found: number
  readonly missing: readonly number[]
  /** Schemas that are named like a shard of this server and cannot be one. */
  readonly unfit: readonly { shardId: number; problems: readonly string[] }[]
}

/** What a server holds. */
export interface ServerContent {
  readonly version: string
  readonly shards: ShardsStatus
  readonly entities: number
  /** False when the entities were not counted: the number is the server's estimate then. */
  readonly isExact: boolean
  readonly bytes: number
  readonly connections: Connections
}

/** Connections to the database of a server: those of all pools, and how many the server takes for all its databases. */
export interface Connections {
  readonly open: number
  readonly max: number
}

/** How a server is. */
export interface ServerStatus {
  readonly serverId: string
  /** As in `connections`: the end is not included. */
  readonly range: string
  /** One round trip on an open connection; undefined if there was none. */
  readonly latencyMs: number | undefined
  /** Undefined if the server could not be read. */
  readonly content: ServerContent | undefined
  readonly failure: Failure | undefined
  readonly pool: PoolStats
}

/** Up to this size counting the entities is quick; beyond it the estimate of the server has to do. */
const COUNT_UP_TO_BYTES = 2 ** 30

const ROUND_TRIPS = 3

/** Asks one server; never throws, so that a server that is down leaves the answers of the others. */
export async function readServerStatus(server: Server, config: Config, isExact: boolean): Promise<ServerStatus> {
  const { serverId, shardIds } = server
  let latencyMs, content, failure
  await using pool = openPool(server, config)
  try {
    latencyMs = await measureLatency(pool)
    content = await readContent(pool, shardIds, config.epochMs, isExact)
  } catch (error) {
    failure = toFailure(error)
  }
  return { serverId, range: formatShardRanges(shardIds), latencyMs, content, failure, pool: pool.stats() }
}

/** True when the server answered and has all its shards. */
export function isHealthy({ content }: ServerStatus): boolean {
  return content !== undefined && content.shards.missing.length === 0 && content.shards.unfit.length === 0
}

function openPool({ serverId, clientConfig }: Server, { options }: Config): ServerPool {
  const connectTimeoutMs = options.poolBlockTimeoutMs ?? 5_000
  // The wait is longer than connecting may take, so that the failure to connect is what is told.
  return new ServerPool({ serverId, clientConfig, max: 1, connectTimeoutMs, blockTimeoutMs: connectTimeoutMs + 1_000 })
}

async function readContent(
  pool: ServerPool,
  shardIds: readonly number[],
  epochMs: number,
  isExact: boolean,
): Promise<ServerContent> {
  const own = new Set(shardIds)
  const inspection = await inspectServer(pool)
  const estimates = await listShardSizes(pool)
  const isCounted = isExact || sum(estimates, ({ bytes }) => bytes) <= COUNT_UP_TO_BYTES
  const sizes = (isCounted ? await listShardSizes(pool, { isExact: true }) : estimates).filter(({ shardId }) =>
    own.has(shardId),
  )
  return {
    version: inspection.version,
    shards: judgeShards(inspection, shardIds, epochMs),
    entities: sum(sizes, ({ entities }) => entities),
    isExact: isCounted,
    bytes: sum(sizes, ({ bytes }) => bytes),
    connections: await countConnections(pool),
  }
}

async function countConnections(pool: ServerPool): Promise<Connections> {
  const text = [
    "select numbackends, current_setting('max_connections')",
    'from pg_stat_database',
    'where datname = current_database()',
  ].join('\n')
  const [row] = await withServerSession(pool, { signal: undefined }, (session) => session.read({ text }))
  return { open: Number(row?.[0]), max: Number(row?.[1]) }
}

/** The quickest of a few round trips, in milliseconds with one decimal. */
async function measureLatency(pool: ServerPool): Promise<number> {
  return withServerSession(pool, { signal: undefined }, async (session) => {
    const times: number[] = []
    for (let trip = 0; trip < ROUND_TRIPS; trip += 1) {
      const startedAt = performance.now()
      await session.read({ text: 'select 1' })
      times.push(performance.now() - startedAt)
    }
    return Math.round(Math.min(...times) * 10) / 10
  })
}

function judgeShards({ shards }: ServerInspection, expected: readonly number[], epochMs: number): ShardsStatus {
  const missing = expected.filter((shardId) => shards.get(shardId)?.entities === undefined)
  const layouts = expected.flatMap((shardId) => shards.get(shardId) ?? [])
  const unfit = layouts
    .map((layout) => ({ shardId: layout.shardId, problems: findProblems(layout, epochMs) }))
    .filter(({ problems }) => problems.length > 0)
  return { expected: expected.length, found: expected.length - missing.length, missing, unfit }
}

function sum<T>(things: readonly T[], amountOf: (thing: T) => number): number {
  return things.reduce((total, thing) => total + amountOf(thing), 0)
}
