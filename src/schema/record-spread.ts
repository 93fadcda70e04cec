import { chunksOf } from '../entity/rows/batches.ts'
import { isHypervaultError } from '../errors.ts'
import type { ServerPool } from '../pool/server-pool.ts'
import { withServerSession, type ServerSession } from '../server/server-session.ts'
import { ServerSites, type ServerSite } from '../server/server-sites.ts'
import type { Server } from '../topology/connection-entry.ts'
import { parseSpreadSource, recordSpreadSql, SELECT_SPREADS } from '../topology/spread-sql.ts'
import { readShards } from './inspect.ts'
import { assertNotMovingSql } from './moving.ts'
import { openBatch } from './plan-server.ts'
import { resolveProvisionOptions, type ProvisionSettings } from './provision-options.ts'

/** What the shards of one server say that values are spread over; or why it could not be asked. */
export interface RecordedSpread {
  readonly serverId: string
  /** Such as `1-17`, each once; more than one while a change has not reached all shards, none in shards of old. */
  readonly spreads: readonly string[]
  readonly problem?: string
}

/** A server whose shards do not all carry the new spread. */
export interface SpreadFailure {
  readonly serverId: string
  readonly code?: string
  readonly message: string
}

/** Reads what the shards of these servers carry. A server that cannot be asked has a `problem`. */
export async function readRecordedSpreads(servers: readonly Server[]): Promise<RecordedSpread[]> {
  const settings = resolveProvisionOptions({})
  await using sites = new ServerSites(servers, settings)
  return await Promise.all(sites.list.map((site) => tryRead(site, settings)))
}

/** Writes the spread into all shards that are there. Safe to repeat; resolves to the servers where that failed. */
export async function writeSpread(servers: readonly Server[], spread: string): Promise<SpreadFailure[]> {
  const settings = resolveProvisionOptions({})
  await using sites = new ServerSites(servers, settings)
  const results = await Promise.all(sites.list.map((site) => tryWrite(site, spread, settings)))
  return results.flat()
}

async function tryRead({ server, pool }: ServerSite, settings: ProvisionSettings): Promise<RecordedSpread> {
  const { serverId } = server
  try {
    return { serverId, spreads: await withServerSession(pool, settings, (session) => readSpreads(session)) }
  } catch (error) {
    return { serverId, spreads: [], problem: (error as Error).message }
  }
}

async function readSpreads(session: ServerSession): Promise<string[]> {
  const rows = await session.read({ text: SELECT_SPREADS })
  return rows.flatMap(([source]) => parseSpreadSource(source ?? '') ?? []).sort()
}

async function tryWrite(site: ServerSite, spread: string, settings: ProvisionSettings): Promise<SpreadFailure[]> {
  const { serverId, shardIds } = site.server
  try {
    for (const { items } of chunksOf(shardIds, settings.shardsPerTransaction)) {
      await write(site.pool, items, spread, settings)
    }
    return []
  } catch (error) {
    const code = isHypervaultError(error) ? error.code : undefined
    return [{ serverId, ...(code !== undefined && { code }), message: (error as Error).message }]
  }
}

/** A shard that moves is what it was when its move began: it is refused, as every other change is. */
async function write(
  pool: ServerPool,
  shardIds: readonly number[],
  spread: string,
  settings: ProvisionSettings,
): Promise<void> {
  await withServerSession(pool, settings, (session) =>
    session.transaction([...openBatch(shardIds, settings), assertNotMovingSql(shardIds)], async () => {
      const layouts = await readShards(session, shardIds)
      const stale = [...layouts.values()].filter(({ canCreate, spread: found }) => canCreate && found !== spread)
      if (stale.length > 0) await session.execute(stale.map(({ shardId }) => recordSpreadSql(shardId, spread)))
    }),
  )
}
