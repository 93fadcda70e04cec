import { HypervaultError } from '../errors.ts'
import type { ServerSession } from '../server/server-session.ts'
import type { Catalog } from './catalog.ts'
import type { ChangeRecord } from './change.ts'
import type { ServerState } from './fleet-record.ts'
import { parseServerSettings, readServerSettings, type ServerSettings } from './server-settings.ts'
import { recordSpread } from './spread.ts'

/** Who changes a fleet, and whether it is only tried. */
export type ChangeOptions = Pick<ChangeRecord, 'actor' | 'isDryRun'>

/** A server that joins, with the shards that are on it already. */
export interface NewServer {
  readonly serverId: string
  readonly settings: ServerSettings
  readonly shardIds?: readonly number[]
}

/** What is told beside the servers that join. */
export interface JoinOptions extends ChangeOptions {
  /** The shards to spread values over if the catalog has no such list yet; default all that are placed then. */
  readonly spread?: readonly number[] | undefined
}

/**
 * Registers servers, all or none, and resolves to the new epoch. The first shards of a fleet are those that its values
 * are spread over; what joins later changes no value's shard.
 *
 * @throws TypeError, RangeError for settings; `HV_SERVER_EXISTS`, `HV_SHARD_PLACED` when a name or a shard is taken
 */
export async function addServers(
  catalog: Catalog,
  servers: readonly NewServer[],
  options: ChangeOptions = {},
): Promise<number> {
  return joinServers(catalog, servers, options)
}

/** Does what {@link addServers} does, and says what the values of a new fleet are spread over. */
export async function joinServers(
  catalog: Catalog,
  servers: readonly NewServer[],
  { spread, ...options }: JoinOptions,
): Promise<number> {
  const checked = servers.map((server) => ({ ...server, settings: parseServerSettings(server.settings) }))
  checked.forEach(({ serverId }) => assertServerId(serverId))
  const details = { servers: checked.map(({ serverId, shardIds = [] }) => ({ serverId, shards: shardIds.length })) }
  const { epoch } = await catalog.change({ action: 'add server', details, ...options }, async (session, next) => {
    for (const server of checked) {
      await insertServer(session, server)
      await insertPlacements(session, server, next)
    }
    await recordSpread(session, spread, next)
  })
  return epoch
}

/** Places shards that live nowhere yet. Throws `HV_SHARD_PLACED`, `HV_SERVER_UNKNOWN`. */
export async function placeShards(
  catalog: Catalog,
  serverId: string,
  shardIds: readonly number[],
  actor?: string,
): Promise<number> {
  const details = { serverId, shardIds }
  const { epoch } = await catalog.change({ action: 'place shards', details, actor }, async (session, next) => {
    await assertKnown(session, serverId)
    await insertPlacements(session, { serverId, shardIds }, next)
    await recordSpread(session, undefined, next)
  })
  return epoch
}

/** What is changed about the settings of a server. */
export interface SettingsChange {
  /** What is set; what is not named stays as it is. */
  readonly settings: ServerSettings
  /** Names of settings that are taken out, also of such that this release does not know. */
  readonly unset?: readonly string[] | undefined
}

/**
 * Changes how a server is reached. Running applications connect anew to it.
 *
 * @throws `HV_SERVER_UNKNOWN`; TypeError, RangeError for settings, and for what would leave the server unusable
 */
export async function changeSettings(
  catalog: Catalog,
  serverId: string,
  { settings, unset = [] }: SettingsChange,
  options: ChangeOptions = {},
): Promise<number> {
  const checked = parseServerSettings(settings)
  const details = { serverId, set: Object.keys(checked), unset }
  const { epoch } = await catalog.change({ action: 'set server', details, ...options }, async (session) => {
    await assertKnown(session, serverId)
    const changed = { ...without(unset, await readSettings(session, serverId)), ...checked }
    const { problem } = readServerSettings(changed)
    if (problem !== undefined) throw new RangeError(`server ${serverId} could not be used: ${problem}`)
    const text = 'update hypervault.servers set settings = $2 where server_id = $1'
    await session.read({ text, values: [serverId, JSON.stringify(changed)] })
  })
  return epoch
}

/** Whether a server may get shards. Throws `HV_SERVER_UNKNOWN`. */
export async function setServerState(
  catalog: Catalog,
  serverId: string,
  state: ServerState,
  options: ChangeOptions = {},
): Promise<number> {
  const action = state === 'draining' ? 'drain server' : 'activate server'
  const { epoch } = await catalog.change({ action, details: { serverId }, ...options }, async (session) => {
    await assertKnown(session, serverId)
    const text = 'update hypervault.servers set state = $2 where server_id = $1'
    await session.read({ text, values: [serverId, state] })
  })
  return epoch
}

/** Takes an empty server out. Throws `HV_SERVER_UNKNOWN`, `HV_SERVER_IN_USE`. */
export async function removeServer(catalog: Catalog, serverId: string, options: ChangeOptions = {}): Promise<number> {
  const record = { action: 'remove server', details: { serverId }, ...options }
  const { epoch } = await catalog.change(record, async (session) => {
    await assertKnown(session, serverId)
    await assertUnused(session, serverId)
    await session.read({ text: 'delete from hypervault.servers where server_id = $1', values: [serverId] })
  })
  return epoch
}

/** As they are there, whatever they are. */
async function readSettings(session: ServerSession, serverId: string): Promise<object> {
  const text = 'select settings from hypervault.servers where server_id = $1'
  const [row] = await session.read({ text, values: [serverId] })
  const settings: unknown = JSON.parse(row?.[0] ?? '{}')
  return typeof settings === 'object' && settings !== null && !Array.isArray(settings) ? settings : {}
}

function without(names: readonly string[], settings: object): object {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)))
}

async function insertServer(session: ServerSession, { serverId, settings }: NewServer): Promise<void> {
  const [row] = await session.read({
    text: [
      'insert into hypervault.servers (server_id, settings) values ($1, $2)',
      'on conflict do nothing returning server_id',
    ].join('\n'),
    values: [serverId, JSON.stringify(settings)],
  })
  if (row !== undefined) return
  throw new HypervaultError('HV_SERVER_EXISTS', `the catalog already has a server ${serverId}`, { serverId })
}

async function insertPlacements(
  session: ServerSession,
  { serverId, shardIds = [] }: Pick<NewServer, 'serverId' | 'shardIds'>,
  epoch: number,
): Promise<void> {
  const rows = await session.read({
    text: [
      'insert into hypervault.placements (shard_id, server_id, epoch)',
      'select shard_id, $2, $3 from unnest($1::integer[]) as shard_id',
      'on conflict do nothing returning shard_id',
    ].join('\n'),
    values: [`{${shardIds.join(',')}}`, serverId, String(epoch)],
  })
  const placed = new Set(rows.map(([shardId]) => Number(shardId)))
  const taken = shardIds.filter((shardId) => !placed.has(shardId))
  if (taken.length === 0) return
  const message = `shards ${taken.slice(0, 20).join(', ')} already live on a server: move them instead`
  throw new HypervaultError('HV_SHARD_PLACED', message, { serverId, shardIds: taken })
}

async function assertKnown(session: ServerSession, serverId: string): Promise<void> {
  const text = 'select from hypervault.servers where server_id = $1'
  if ((await session.read({ text, values: [serverId] })).length > 0) return
  throw new HypervaultError('HV_SERVER_UNKNOWN', `the catalog has no server ${serverId}`, { serverId })
}

async function assertUnused(session: ServerSession, serverId: string): Promise<void> {
  const [row] = await session.read({
    text: [
      'select',
      '  (select count(*) from hypervault.placements where server_id = $1),',
      '  (select count(*) from hypervault.moves where not is_over and $1 in (source, target))',
    ].join('\n'),
    values: [serverId],
  })
  const [shards, moves] = [Number(row?.[0]), Number(row?.[1])]
  if (shards + moves === 0) return
  const message = `server ${serverId} still has ${shards} shards and ${moves} moves under way`
  throw new HypervaultError('HV_SERVER_IN_USE', message, { serverId, shards, moves })
}

/** Throws a RangeError unless it is the name of a server. */
export function assertServerId(serverId: unknown): void {
  if (typeof serverId === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(serverId)) return
  throw new RangeError(`serverId must be 1 to 63 letters, digits, '_', '.', '-', got ${JSON.stringify(serverId)}`)
}
