import { HypervaultError } from '../../errors.ts'
import { shardSchema } from '../../key/shard-id.ts'
import { foreseeEnd, type EndProblem } from './foresee-end.ts'
import { cleanupKinds, listCleanupsOf, type Cleanup } from './journal.ts'
import type { MovePhase, MoveRecord } from './move-record.ts'
import type { MoveVerb } from './observe-move.ts'
import type { MovePlace } from './open-move.ts'

/** What somebody would do about a move. Nothing was changed. */
export interface MoveEndPlan {
  readonly moveId: number
  readonly shardId: number
  readonly verb: MoveVerb
  readonly phase: MovePhase
  /** Server on which the shard lives afterwards. */
  readonly home: string
  /** True when the shard can be brought back now, and afterwards no more. */
  readonly endsWayBack: boolean
  /** In order; empty when nothing is left to do. */
  readonly steps: readonly EndStep[]
  /** What it would be refused for now, as the errors that it would end with. */
  readonly problems: readonly EndProblem[]
}

/** One step, at a server or in the `catalog`. */
export interface EndStep {
  readonly at: string
  readonly what: string
}

const beforeSwitch: readonly MovePhase[] = ['preparing', 'copying', 'catching-up']

/** The phases of a move in which something can be done about it. */
const phasesOf: Readonly<Record<MoveVerb, readonly MovePhase[]>> = {
  complete: ['mirroring', 'completing'],
  reverse: ['mirroring', 'reversing'],
  abort: [...beforeSwitch, 'aborting'],
  resume: [...beforeSwitch, 'switched', 'mirroring', 'completing', 'aborting', 'reversing'],
}

const ends: Readonly<Record<MoveVerb, MovePhase | undefined>> = {
  complete: 'completed',
  reverse: 'reversed',
  abort: 'aborted',
  resume: undefined,
}

/** Whether nothing is left to do, because it was done before. */
export function isEnded({ phase, isOver }: MoveRecord, verb: MoveVerb): boolean {
  return verb === 'resume' ? isOver : phase === ends[verb]
}

/** Throws `HV_MOVE_PHASE` when that cannot be done about a move now. */
export function assertPhase({ moveId, phase }: MoveRecord, verb: MoveVerb): void {
  const allowed = phasesOf[verb]
  if (allowed.includes(phase)) return
  const message = `move ${moveId} is ${phase}: ${verb} is possible only when it is ${allowed.join(' or ')}`
  throw new HypervaultError('HV_MOVE_PHASE', message, { moveId, phase })
}

/** Plans the end of a move, or that it goes on. */
export async function planEnd(
  place: MovePlace,
  move: MoveRecord,
  verb: MoveVerb,
  signal: AbortSignal | undefined,
): Promise<MoveEndPlan> {
  const { moveId, shardId, phase, target, source } = move
  const isOver = isEnded(move, verb)
  const recorded = await place.catalog.under(signal).withSession((session) => listCleanupsOf(session, moveId))
  const steps = isOver ? [] : listSteps(move, verb, recorded)
  const problems = isOver ? [] : await foreseeEnd(place, move, verb, recorded, signal)
  const isBack =
    verb === 'reverse' || verb === 'abort' || ['reversing', 'aborting', 'reversed', 'aborted'].includes(phase)
  return Object.freeze({
    moveId,
    shardId,
    verb,
    phase,
    home: isBack ? source : target,
    endsWayBack: verb === 'complete' && phase === 'mirroring',
    steps,
    problems,
  })
}

function listSteps(move: MoveRecord, verb: MoveVerb, recorded: readonly Cleanup[]): EndStep[] {
  const { source, target, phase, shardId } = move
  if (verb === 'reverse' && phase === 'mirroring') {
    return [
      { at: target, what: 'wait until the old server has all changes; then fence the shard and close its sequences' },
      { at: 'catalog', what: `place shard ${shardId} on ${source}, in one transaction` },
      { at: source, what: 'open the fence and the sequences; prove the rows' },
      ...removals(behindReversal(move, recorded)),
    ]
  }
  if (verb !== 'resume' || ['completing', 'aborting', 'reversing'].includes(phase)) return removals(recorded)
  if (phase === 'mirroring') return [{ at: target, what: 'open the fence, if a reversal was interrupted' }]
  const rest = phase === 'switched' ? 'prove the rows' : 'copy the remaining rows, catch up, switch, and prove the rows'
  return [{ at: `${source}, ${target}`, what: `continue from ${phase}: ${rest}; changes are then streamed back` }]
}

/** The switch back changes which of the two sides is to be cleaned up. */
function behindReversal({ source, target, shardId }: MoveRecord, recorded: readonly Cleanup[]): Cleanup[] {
  const name = shardSchema(shardId)
  const isKept = ({ serverId, kind }: Cleanup): boolean =>
    (kind === 'schema' && serverId === source) || (kind === 'fence' && serverId === target)
  return [
    ...recorded.filter((cleanup) => !isKept(cleanup)),
    { serverId: target, kind: 'schema', name },
    { serverId: source, kind: 'fence', name },
  ]
}

function removals(cleanups: readonly Cleanup[]): EndStep[] {
  return [...cleanups]
    .sort((a, b) => cleanupKinds.indexOf(a.kind) - cleanupKinds.indexOf(b.kind))
    .map(({ serverId, kind, name }) => ({ at: serverId, what: describe(kind, name) }))
}

function describe(kind: Cleanup['kind'], name: string): string {
  if (kind === 'schema') return `drop schema ${name} with all its rows`
  if (kind === 'session') return `end sessions ${name}`
  if (kind === 'fence') return `open the fence of ${name}, and drop it`
  return kind === 'marker' ? `drop table ${name}.hv_marker` : `drop ${kind} ${name}`
}
