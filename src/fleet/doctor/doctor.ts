import type { Catalog } from '../../catalog/catalog.ts'
import type { FleetRecord, FleetServer } from '../../catalog/fleet-record.ts'
import { listLeasedShards } from '../lease.ts'
import { listMoves, type MoveRecord } from '../move/move-record.ts'
import type { MovePlace } from '../move/open-move.ts'
import type { Diagnosis, Finding } from './finding.ts'
import { judgeMoves, judgeObjects, listMoving, type MovesSeen } from './judge-moves.ts'
import {
  judgeClocks,
  judgeCollations,
  judgeDraining,
  judgeFailure,
  judgeIgnored,
  judgeReading,
  judgeSpread,
  pooled,
  unready,
} from './judge-servers.ts'
import { judgePlaces, judgeShards } from './judge-shards.ts'
import { mend } from './mend.ts'
import { isPooled } from './pooler-probe.ts'
import {
  readLacking,
  toFailedReading,
  tryReadServer,
  uniteNeeds,
  type FailedReading,
  type ServerReading,
} from './server-reading.ts'

/*
 * Looks at a fleet as a whole. First everything is read: the moves, each server, the moves again, so that what begins or
 * ends meanwhile is not taken for something that is left over. Then pure functions judge what was read. A finding is fixed
 * only when that touches no row, breaks nothing that is in use, and the lease of the shard is free.
 */

/** How a fleet is looked at. */
export interface DoctorOptions {
  /** Puts right what is safe to; default false. */
  readonly fix?: boolean | undefined
  /** Ends it between two questions. */
  readonly signal?: AbortSignal | undefined
}

/** What was found. */
export interface DoctorReport {
  /** True when there is no problem left; notices do not count. */
  readonly isHealthy: boolean
  readonly servers: readonly { readonly serverId: string; readonly isReachable: boolean; readonly shards: number }[]
  /** Problems first. */
  readonly findings: readonly Finding[]
}

/** Examines a fleet. A server that is down is a finding. */
export async function examine(place: MovePlace, { fix = false, signal }: DoctorOptions): Promise<DoctorReport> {
  const catalog = place.catalog.under(signal)
  const before = await catalog.withSession((session) => listMoves(session))
  const fleet = await catalog.readFleet()
  const answers = await Promise.all(fleet.servers.map((server) => tryReadServer(server, place.links, signal)))
  const lacking = await Promise.all(fleet.servers.map((server) => judgeNeeds(place, server, answers, signal)))
  const moves = await seeMoves(catalog, before)
  const diagnoses = [
    // Bound: the catalog is one under a signal; each statement has STATEMENT_MS.
    ...((await isPooled(() => catalog.acquire())) ? [pooled('catalog')] : []),
    ...lacking.flat(),
    ...judge(fleet, answers, moves),
  ]
  const findings: Finding[] = []
  for (const diagnosis of diagnoses) findings.push(await toFinding(place, diagnosis, fix, signal))
  const isOpen = ({ level, isFixed }: Finding): boolean => level === 'problem' && !isFixed
  return Object.freeze({
    isHealthy: !findings.some(isOpen),
    servers: fleet.servers.map(({ serverId, shardIds }) => ({
      serverId,
      isReachable: answers.some((answer) => answer.serverId === serverId && !('failure' in answer)),
      shards: shardIds.length,
    })),
    findings: findings.sort((a, b) => Number(b.level === 'problem') - Number(a.level === 'problem')),
  })
}

/** Judges what was read. */
export function judge(
  fleet: FleetRecord,
  answers: readonly (ServerReading | FailedReading)[],
  moves: MovesSeen,
): Diagnosis[] {
  const failed = answers.filter((answer): answer is FailedReading => 'failure' in answer)
  const readings = answers.filter((answer): answer is ServerReading => !('failure' in answer))
  return [
    ...failed.map(judgeFailure),
    ...readings.flatMap(judgeReading),
    ...judgeClocks(readings),
    ...judgeCollations(readings),
    ...judgePlaces(fleet, readings, listMoving(moves)),
    ...readings.flatMap(judgeShards),
    ...judgeMoves(moves, readings),
    ...readings.flatMap((reading) => judgeObjects(reading, fleet, moves)),
    ...fleet.servers.flatMap(judgeDraining),
    ...judgeSpread(fleet),
    ...fleet.servers.flatMap(judgeIgnored),
  ]
}

/** What a server lacks for the shards that may come to it: those of all servers, unless it is to be emptied. */
async function judgeNeeds(
  { links }: MovePlace,
  { serverId, state }: FleetServer,
  answers: readonly (ServerReading | FailedReading)[],
  signal: AbortSignal | undefined,
): Promise<Diagnosis[]> {
  const readings = answers.filter((answer): answer is ServerReading => !('failure' in answer))
  const own = readings.find((reading) => reading.serverId === serverId)
  if (own === undefined) return []
  const needs = state === 'active' ? uniteNeeds(readings.map((reading) => reading.needs)) : own.needs
  try {
    const lacking = await readLacking(await links.get(serverId, signal), needs, signal)
    return lacking.map((text) => unready(serverId, text))
  } catch (error) {
    signal?.throwIfAborted()
    return [judgeFailure(toFailedReading(serverId, error))]
  }
}

async function seeMoves(catalog: Catalog, before: readonly MoveRecord[]): Promise<MovesSeen> {
  return catalog.withSession(async (session) => {
    // Asked twice: who begins, or ends, while the moves are read is in one of the answers.
    const earlier = await listLeasedShards(session)
    const after = await listMoves(session)
    return { before, after, leased: new Set([...earlier, ...(await listLeasedShards(session))]) }
  })
}

async function toFinding(
  place: MovePlace,
  { fix, kind, level, what, remedy, serverId, shardId }: Diagnosis,
  isFixing: boolean,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  signal?.throwIfAborted()
  const finding = { kind, level, serverId, shardId, what, remedy, isFixable: fix !== undefined }
  if (!isFixing || fix === undefined) return Object.freeze({ ...finding, isFixed: false, fixProblem: undefined })
  try {
    await mend(place, fix, signal)
    return Object.freeze({ ...finding, isFixed: true, fixProblem: undefined })
  } catch (error) {
    signal?.throwIfAborted()
    const fixProblem = error instanceof Error ? error.message : String(error)
    return Object.freeze({ ...finding, isFixed: false, fixProblem })
  }
}
