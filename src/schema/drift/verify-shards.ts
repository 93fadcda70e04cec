import { isHypervaultError } from '../../errors.ts'
import { AnswerWatch } from '../../server/answer-watch.ts'
import { ServerSites } from '../../server/server-sites.ts'
import type { Topology } from '../../topology/topology.ts'
import { resolveDriftOptions, type DriftOptions, type DriftSettings } from './drift-options.ts'
import {
  compareLines,
  groupShards,
  leftOut,
  type DriftFailure,
  type DriftReport,
  type InvalidIndex,
  type ShapeGroup,
  type ShardFingerprint,
} from './drift-report.ts'
import { ServerShapes } from './server-shapes.ts'

/** What one server has answered. */
interface ServerAnswer {
  readonly fingerprints: readonly ShardFingerprint[]
  readonly invalid: readonly InvalidIndex[]
  readonly fixed: readonly InvalidIndex[]
}

/**
 * Compares what all shards are made of: whatever `pg_dump` would write of their schemas, from columns and constraints to
 * policies, owners, grants and comments, and whether indexes are valid. What is left out is in the report. A few statements for each server; a server that is down is named in the report and leaves the
 * others.
 *
 * @throws TypeError or RangeError that names the option; `HV_SHARD_UNKNOWN` for a `reference` that no server holds; the
 *   reason of the signal
 */
export async function verifyShards(
  topology: Topology,
  options: DriftOptions = {},
  epochMs?: number,
): Promise<DriftReport> {
  const settings = resolveDriftOptions(options, epochMs)
  if (settings.reference !== undefined) topology.getServer(settings.reference)
  await using sites = new ServerSites(topology.servers, { ...settings, connectionsPerServer: 2 })
  const servers = sites.list.map((site) => new ServerShapes(site, settings))
  const answers = await Promise.allSettled(servers.map((server) => askServer(server, settings)))
  settings.signal?.throwIfAborted()
  const failures = answers.flatMap((answer, index) => toFailure(answer, servers[index]?.serverId))
  const given = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  return await compose(topology, servers, given, failures, settings)
}

async function askServer(server: ServerShapes, settings: DriftSettings): Promise<ServerAnswer> {
  await using watch = new AnswerWatch(server.site.pool)
  try {
    return await readServer(server, settings)
  } catch (error) {
    throw watch.problem ?? error
  }
}

async function readServer(server: ServerShapes, { fix, signal }: DriftSettings): Promise<ServerAnswer> {
  const broken = await server.listInvalidIndexes()
  const fixed: InvalidIndex[] = []
  for (const index of fix ? broken : []) {
    signal?.throwIfAborted()
    if (await tryFix(server, index)) fixed.push(index)
  }
  const invalid = fix && broken.length > 0 ? await server.listInvalidIndexes() : broken
  return { fingerprints: await server.readFingerprints(), invalid, fixed }
}

/** One that cannot be rebuilt, such as a unique one over doubles, stays in the list of those that are not valid. */
async function tryFix(server: ServerShapes, index: InvalidIndex): Promise<boolean> {
  try {
    return await server.fixIndex(index)
  } catch (error) {
    if (!isHypervaultError(error, 'HV_STATEMENT_FAILED')) throw error
    return false
  }
}

async function compose(
  topology: Topology,
  servers: readonly ServerShapes[],
  answers: readonly ServerAnswer[],
  failures: readonly DriftFailure[],
  { reference }: DriftSettings,
): Promise<DriftReport> {
  const fingerprints = answers.flatMap((answer) => answer.fingerprints)
  const groups = await describeGroups(groupShards(fingerprints, reference), servers)
  const absent = findAbsent(topology, fingerprints, failures)
  const invalidIndexes = answers.flatMap(({ invalid }) => invalid)
  const isClean = groups.length <= 1 && [absent, invalidIndexes, failures].every(({ length }) => length === 0)
  const fixedIndexes = answers.flatMap(({ fixed }) => fixed)
  return Object.freeze({ groups, absent, invalidIndexes, fixedIndexes, failures, leftOut, isClean })
}

async function describeGroups(
  groups: readonly ShardFingerprint[][],
  servers: readonly ServerShapes[],
): Promise<ShapeGroup[]> {
  const lines = groups.length > 1 ? await Promise.all(groups.map((group) => linesOf(group, servers))) : []
  const [reference = []] = lines
  return groups.map((group, index) => {
    const own = lines[index] ?? []
    return Object.freeze({
      fingerprint: group[0]?.fingerprint ?? '',
      shardIds: group.map(({ shardId }) => shardId),
      isReference: index === 0,
      ...compareLines(reference, own),
    })
  })
}

/** All shards of a group are made of the same: one of them tells of what. */
async function linesOf([shard]: readonly ShardFingerprint[], servers: readonly ServerShapes[]): Promise<string[]> {
  const server = servers.find(({ serverId }) => serverId === shard?.serverId)
  if (shard === undefined || server === undefined) throw new Error('bug: a group without a shard')
  return server.readLines(shard.shardId)
}

/** The shards of a server that did not answer are not known to be absent. */
function findAbsent(
  { servers }: Topology,
  found: readonly ShardFingerprint[],
  failures: readonly DriftFailure[],
): number[] {
  const there = new Set(found.map(({ shardId }) => shardId))
  const silent = new Set(failures.map(({ serverId }) => serverId))
  const asked = servers.filter(({ serverId }) => !silent.has(serverId)).flatMap(({ shardIds }) => shardIds)
  return asked.filter((shardId) => !there.has(shardId)).sort((a, b) => a - b)
}

function toFailure(answer: PromiseSettledResult<unknown>, serverId = ''): DriftFailure[] {
  if (answer.status === 'fulfilled') return []
  const error: unknown = answer.reason
  const code = isHypervaultError(error) ? error.code : undefined
  return [{ serverId, code, message: error instanceof Error ? error.message : String(error) }]
}
