import type { FleetServer } from '../../catalog/fleet-record.ts'
import { pause } from '../../pool/pause.ts'
import { listShardSizes } from '../../schema/shard-sizes.ts'
import type { FleetLink, FleetLinks } from '../servers.ts'

/** What servers are compared by. */
export const rebalanceMeasures = ['bytes', 'writes', 'count'] as const

/** What servers are compared by: bytes on disk, rows written in a second, or the number of shards. */
export type RebalanceMeasure = (typeof rebalanceMeasures)[number]

/** How the shards are weighed. */
export interface WeighOptions {
  readonly by: RebalanceMeasure
  /** How long writes are counted, in milliseconds. */
  readonly sampleMs: number
  readonly signal: AbortSignal | undefined
}

type Weights = ReadonlyMap<number, number>

/** Weighs the shards that live on these servers. Throws when a server does not answer: without it there is no plan. */
export async function weighShards(
  servers: readonly FleetServer[],
  links: FleetLinks,
  { by, sampleMs, signal }: WeighOptions,
): Promise<Weights> {
  if (by === 'count') return new Map(servers.flatMap(({ shardIds }) => shardIds.map((shardId) => [shardId, 1])))
  const readAll = async (read: (link: FleetLink) => Promise<Weights>): Promise<Map<string, Weights>> => {
    const weights = servers.map(
      async ({ serverId }) => [serverId, await read(await links.get(serverId, signal))] as const,
    )
    return new Map(await Promise.all(weights))
  }
  if (by === 'bytes') return pick(servers, await readAll((link) => readBytes(link, signal)))
  const first = await readAll((link) => readWrites(link, signal))
  const startedAt = performance.now()
  await pause(sampleMs, signal)
  const second = await readAll((link) => readWrites(link, signal))
  return rates(pick(servers, first), pick(servers, second), (performance.now() - startedAt) / 1_000)
}

/** Of each shard what the server says on which it lives: another one may have a copy. */
function pick(servers: readonly FleetServer[], weights: ReadonlyMap<string, Weights>): Map<number, number> {
  return new Map(
    servers.flatMap(({ serverId, shardIds }) =>
      shardIds.map((shardId) => [shardId, weights.get(serverId)?.get(shardId) ?? 0] as const),
    ),
  )
}

/** Counters go back to zero after a crash of their server. */
function rates(first: Weights, second: Weights, seconds: number): Map<number, number> {
  return new Map(
    [...second].map(([shardId, count]) => [shardId, Math.max(0, count - (first.get(shardId) ?? 0)) / seconds]),
  )
}

async function readBytes(link: FleetLink, signal: AbortSignal | undefined): Promise<Weights> {
  const sizes = await listShardSizes(link.pool, { signal })
  return new Map(sizes.map(({ shardId, bytes }) => [shardId, bytes]))
}

function readWrites(link: FleetLink, signal: AbortSignal | undefined): Promise<Weights> {
  const text = [
    'select schemaname, sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables',
    "where schemaname ~ '^shard[0-9]{4}$' group by schemaname",
  ].join(' ')
  return link.withSession(async (session) => {
    const rows = await session.read({ text })
    return new Map(rows.map(([name, count]) => [Number(name?.slice('shard'.length)), Number(count)]))
  }, signal)
}
