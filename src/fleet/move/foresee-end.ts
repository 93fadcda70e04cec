import { isHypervaultError, type ErrorCode, type HypervaultError } from '../../errors.ts'
import type { ServerSession } from '../../server/server-session.ts'
import { readShardDefinition } from '../clone/read-shard-definition.ts'
import type { ShardDefinition } from '../clone/shard-definition.ts'
import { leasedError } from '../lease.ts'
import { differsBack } from './end-move.ts'
import { stalled } from './follow.ts'
import { readResults, type Cleanup } from './journal.ts'
import type { MoveSight } from './move-context.ts'
import type { MoveRecord } from './move-record.ts'
import { objectsOf } from './object-names.ts'
import type { MoveVerb } from './observe-move.ts'
import { defaultLimits, type MovePlace } from './open-move.ts'
import { compareLive } from './prove.ts'
import { assertNoDependents } from './remove-schema.ts'
import { assertSameDefinition } from './same-definition.ts'
import { assertSlot } from './slot-state.ts'
import { assertNoStrayWrites } from './stray-writes.ts'
import { waitFor } from './wait.ts'

/*
 * What the end of a move would be refused for, found without changing anything: the checks that the end itself begins with,
 * on the same functions, and all of them where the end stops at the first. Rows are compared where the end compares them; what
 * is in flight is waited for by the position of the stream, as a marker would be a row.
 */

/** What would be refused, as the error that it would be. */
export interface EndProblem {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
}

type Check = (sight: MoveSight) => Promise<void>

/** Longest wait for what is in flight. */
const STALL_MS = 10_000

const POLL_MS = 20

/** Finds whatever the end of a move would be refused for now. */
export async function foreseeEnd(
  place: MovePlace,
  move: MoveRecord,
  verb: MoveVerb,
  recorded: readonly Cleanup[],
  signal: AbortSignal | undefined,
): Promise<EndProblem[]> {
  const checks: Check[] = [() => assertNotLeased(place, move, signal), ...checksOf(move, verb, recorded)]
  const sight = await lookAt(place, move, signal)
  const problems: EndProblem[] = []
  for (const check of checks) {
    const problem = await problemOf(() => check(sight))
    if (problem !== undefined && !problems.some(({ message }) => message === problem.message)) problems.push(problem)
  }
  return problems
}

/** What the ends of a move ask before they do anything, and what `resume` asks that goes on with one of them. */
function checksOf({ phase, source, target }: MoveRecord, verb: MoveVerb, recorded: readonly Cleanup[]): Check[] {
  if (verb === 'complete')
    return phase === 'mirroring' ? [sourceFree, (sight) => assertNoStrayWrites(sight, crossByPosition)] : [sourceFree]
  if (verb === 'reverse' && phase === 'mirroring') return [slotThere, targetFree, assertSameDefinition, sameRows]
  const removed = recorded.filter(({ kind }) => kind === 'schema').map(({ serverId }) => serverId)
  if (verb === 'resume' && !['completing', 'aborting', 'reversing'].includes(phase)) return []
  return [...(removed.includes(source) ? [sourceFree] : []), ...(removed.includes(target) ? [targetFree] : [])]
}

const sourceFree: Check = ({ source, move }) =>
  source.withSession((session) => assertNoDependents(session, move.shardId))

const targetFree: Check = ({ target, move }) =>
  target.withSession((session) => assertNoDependents(session, move.shardId))

const slotThere: Check = (sight) =>
  sight.target.withSession((session) => assertSlot(session, sight, sight.objects.reverse))

const sameRows: Check = async (sight) => {
  const { mismatches } = await compareLive(sight, { from: sight.target, to: sight.source }, crossByPosition)
  if (mismatches.length > 0) throw differsBack(sight, mismatches, 'would be back')
}

async function assertNotLeased(
  { catalog }: MovePlace,
  { shardId }: MoveRecord,
  signal: AbortSignal | undefined,
): Promise<void> {
  const error = await catalog.under(signal).withSession((session) => leasedError(session, shardId))
  if (error !== undefined) throw error
}

/** Waits until the other side has confirmed what is written here by now. */
async function crossByPosition(sight: MoveSight, [from]: readonly [ServerSession, ServerSession]): Promise<void> {
  const [row] = await from.read({ text: 'select pg_current_wal_flush_lsn()' })
  const until = performance.now() + sight.limits.stallTimeoutMs
  const text = 'select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn >= $2::pg_lsn'
  const values = [sight.objects.reverse, row?.[0] ?? '']
  await waitFor(
    async () => {
      if ((await from.read({ text, values })).length > 0) return true
      if (performance.now() > until) throw stalled(sight, 'changes do not arrive')
      return undefined
    },
    { signal: sight.signal, pauseMs: POLL_MS },
  )
}

/** A move as its checks take it. */
async function lookAt(
  { catalog, links, epochMs }: MovePlace,
  move: MoveRecord,
  signal: AbortSignal | undefined,
): Promise<MoveSight> {
  const { moveId, phase } = move
  const [results, source, target] = await Promise.all([
    readResults(catalog.under(signal), moveId),
    links.get(move.source, signal),
    links.get(move.target, signal),
  ])
  let definition: Promise<ShardDefinition> | undefined
  return Object.freeze<MoveSight>({
    move,
    objects: objectsOf(move),
    journal: { phase, resultOf: (step) => results.get(step) },
    source,
    target,
    epochMs,
    limits: { ...defaultLimits, stallTimeoutMs: STALL_MS, maxPauseMs: move.options.maxPauseMs },
    signal,
    definition: () => (definition ??= source.withSession((session) => readShardDefinition(session, move.shardId))),
    tell: () => undefined,
  })
}

/** Whatever is no error of Hypervault is none that the end would be refused for. */
async function problemOf(check: () => Promise<void>): Promise<EndProblem | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    if (!isHypervaultError(error)) throw error
    const { code, message, hint }: HypervaultError = error
    return Object.freeze({ code, message, hint })
  }
}
