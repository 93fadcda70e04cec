import type { ServerSession } from '../server/server-session.ts'
import { readServerSettings, type FoundSettings } from './server-settings.ts'

/** A draining server keeps what it has, and gets no shard. */
export type ServerState = 'active' | 'draining'

/** A server as the catalog has it; with a `problem` it cannot be used, whatever is right about its settings. */
export interface FleetServer extends FoundSettings {
  readonly serverId: string
  readonly state: ServerState
  /** Ascending. */
  readonly shardIds: readonly number[]
}

/** All servers of a fleet at one epoch, by name. */
export interface FleetRecord {
  readonly epoch: number
  readonly servers: readonly FleetServer[]
  /** The shards that values are spread over, ascending; undefined as long as the fleet has no shard. */
  readonly spread: readonly number[] | undefined
}

/** One statement, so that epoch and placements belong together. */
const text = [
  'select (select epoch from hypervault.topology), server_id, settings, state,',
  '  (select coalesce(json_agg(shard_id order by shard_id), json_build_array())',
  '   from hypervault.placements where placements.server_id = servers.server_id),',
  '  (select to_json(shard_ids) from hypervault.spread)',
  'from hypervault.servers',
  'right join (select) as always on true',
  'order by server_id',
].join('\n')

/** Reads the whole fleet. */
export async function readFleet(session: ServerSession): Promise<FleetRecord> {
  const rows = await session.read({ text })
  const servers = rows.flatMap(([, serverId, settings, state, shardIds]) =>
    serverId == null ? [] : [toServer(serverId, settings ?? '', state ?? '', shardIds ?? '')],
  )
  const [epoch, , , , , spread] = rows[0] ?? []
  return Object.freeze({ epoch: Number(epoch), servers: Object.freeze(servers), spread: parseList(spread) })
}

function toServer(serverId: string, settings: string, state: string, shardIds: string): FleetServer {
  return Object.freeze({
    serverId,
    ...readServerSettings(JSON.parse(settings)),
    state: state as ServerState,
    shardIds: Object.freeze(JSON.parse(shardIds) as number[]),
  })
}

function parseList(text: string | null | undefined): readonly number[] | undefined {
  return text == null ? undefined : Object.freeze(JSON.parse(text) as number[])
}
