import { ServerSites, type ServerSite } from '../server/server-sites.ts'
import { parseConnections, type ConnectionEntry, type Server } from '../topology/connection-entry.ts'
import { Topology } from '../topology/topology.ts'
import { decideSpread } from './decide-spread.ts'
import { findIncompatible, findLayoutProblems } from './find-incompatible.ts'
import { inspectServer, type ServerInspection } from './inspect.ts'
import { bringUpNewShards } from './migrations/bring-up.ts'
import { builtInMigrations } from './migrations/built-in.ts'
import { loadMigrations } from './migrations/load-migrations.ts'
import type { Migration } from './migrations/migration.ts'
import {
  assertPlaceable,
  findConflicts,
  findUnplaced,
  type IncompatibleShard,
  type UnplacedShard,
} from './placement.ts'
import { planServer, type ServerPlan } from './plan-server.ts'
import { resolveProvisionOptions, type ProvisionOptions, type ProvisionSettings } from './provision-options.ts'
import { ServerProvision, type ServerReport } from './server-provision.ts'
import type { ShardLayout } from './shard-layout.ts'

/*
 * Makes the logical shards on all servers, and takes over those that the original `hypervault` made.
 *
 * The catalogs of the servers are authoritative: nothing is written down about how far a run has come, so a second run
 * after any end is the same run again. In order:
 *
 *   1. inspect   every server, in parallel. One that cannot be inspected ends the run: a shard could be there already.
 *   2. judge     shards on two servers or the wrong one, schemas that cannot be shards, keys of another epoch. All
 *                problems of all servers in one error, before anything is created anywhere.
 *   3. make      each server by itself, in transactions of 64 new shards or one adopted one. It locks its shards (advisory),
 *                looks again, and leaves them whole. A server that fails does not stop the others.
 *
 *   what is there                     becomes
 *   nothing, or an empty schema       created
 *   a part of a shard                 completed: created without `entities`, adopted with it
 *   a shard of the original           adopted: next_id() replaced in place, `updated` added, no row touched
 *   a whole shard                     unchanged
 *   anything else                     HV_SHARD_INCOMPATIBLE
 *
 * A crash before a commit leaves the shards of that transaction as they were, one after it leaves them whole. Two runs
 * at once share the work: whoever comes second to a transaction's shards finds them whole. Nothing is ever dropped.
 */

/** What became of all servers. */
export interface ProvisionReport {
  readonly servers: readonly ServerReport[]
  /** Shards that were found and that the connections place nowhere; they were let be. */
  readonly unplaced: readonly UnplacedShard[]
}

/** What would be done on all servers. */
export interface ProvisionPlan {
  readonly servers: readonly ServerPlan[]
  readonly unplaced: readonly UnplacedShard[]
}

/**
 * Makes the shards of these connections where they are missing, and adopts those of the original. Safe to repeat: a
 * second run changes nothing. An abort stops before the next transaction and undoes nothing.
 *
 * @throws `HV_SHARD_CONFLICT` and `HV_SHARD_INCOMPATIBLE` before anything is created; `HV_PROVISION_FAILED` with the
 *   failure of each server, or that failure itself when there is only one server
 */
export async function provision(
  connections: readonly ConnectionEntry[],
  options: ProvisionOptions = {},
): Promise<ProvisionReport> {
  return provisionServers(parseConnections(connections), options)
}

/** Does what {@link provision} does on servers that may hold any shards. */
export async function provisionServers(
  servers: readonly Server[],
  options: ProvisionOptions = {},
): Promise<ProvisionReport> {
  const { settings, migrations } = await resolve(options)
  await using sites = new ServerSites(servers, settings)
  const inspections = await inspectSites(sites, settings)
  const incompatible = await sites.onEach((site) =>
    findIncompatible(site.pool, placedLayouts(site, inspections), settings),
  )
  const unplaced = judge(sites, inspections, incompatible.flat())
  const spread = chooseSpread(sites, inspections, settings)
  const reports = await sites.onEach((site) =>
    new ServerProvision(site.pool, inspectionOf(site, inspections), site.server.shardIds, {
      ...settings,
      spread,
    }).run(),
  )
  if (settings.isFollowed) await bringUpNewShards(servers, migrations, settings)
  return Object.freeze({ servers: reports, unplaced })
}

/**
 * Plans what {@link provision} would do now, and changes nothing: the servers are only read. The keys of a `next_id()`
 * of unknown text are therefore not proven here.
 *
 * @throws as provision does
 */
export async function planProvision(
  connections: readonly ConnectionEntry[],
  options: ProvisionOptions = {},
): Promise<ProvisionPlan> {
  return planServers(parseConnections(connections), options)
}

/** Plans what {@link provisionServers} would do. */
export async function planServers(servers: readonly Server[], options: ProvisionOptions = {}): Promise<ProvisionPlan> {
  const { settings } = await resolve(options)
  await using sites = new ServerSites(servers, settings)
  const inspections = await inspectSites(sites, settings)
  const problems = sites.list.flatMap((site) =>
    findLayoutProblems(site.server.serverId, placedLayouts(site, inspections), settings),
  )
  const unplaced = judge(sites, inspections, problems)
  const spread = chooseSpread(sites, inspections, settings)
  const plans = sites.list.map((site) =>
    planServer(inspectionOf(site, inspections), site.server.shardIds, { ...settings, spread }),
  )
  return Object.freeze({ servers: plans, unplaced })
}

/** Reads the migrations first: files that cannot be read end all of it before anything is made. */
async function resolve(
  options: ProvisionOptions,
): Promise<{ settings: ProvisionSettings; migrations: readonly Migration[] }> {
  const settings = resolveProvisionOptions(options)
  const migrations = await loadMigrations(settings.source)
  return { settings: { ...settings, isFollowed: migrations.length > builtInMigrations.length }, migrations }
}

function inspectSites(sites: ServerSites, settings: ProvisionSettings): Promise<ServerInspection[]> {
  return sites.onEach(({ pool }) => inspectServer(pool, settings))
}

function inspectionOf({ server }: ServerSite, inspections: readonly ServerInspection[]): ServerInspection {
  const inspection = inspections.find(({ serverId }) => serverId === server.serverId)
  if (inspection === undefined) throw new Error(`bug: server ${server.serverId} was not inspected`)
  return inspection
}

/** Throws all that stands in the way, else gives the shards that are left alone. */
function judge(
  sites: ServerSites,
  inspections: readonly ServerInspection[],
  incompatible: IncompatibleShard[],
): UnplacedShard[] {
  const topology = new Topology(sites.list.map(({ server }) => server))
  assertPlaceable(findConflicts(topology, inspections), incompatible)
  return findUnplaced(topology, inspections)
}

function chooseSpread(
  sites: ServerSites,
  inspections: readonly ServerInspection[],
  { spread }: ProvisionSettings,
): string | undefined {
  const layouts = sites.list.flatMap((site) => placedLayouts(site, inspections))
  return decideSpread(
    spread,
    layouts,
    sites.list.flatMap(({ server }) => server.shardIds),
  )
}

function placedLayouts(site: ServerSite, inspections: readonly ServerInspection[]): ShardLayout[] {
  const { shards } = inspectionOf(site, inspections)
  return site.server.shardIds.flatMap((shardId) => shards.get(shardId) ?? [])
}
