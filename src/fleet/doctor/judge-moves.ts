import type { FleetRecord } from '../../catalog/fleet-record.ts'
import type { MoveRecord } from '../move/move-record.ts'
import { objectsOf } from '../move/object-names.ts'
import { listVerbs } from '../move/observe-move.ts'
import type { Diagnosis } from './finding.ts'
import type { FoundObject, ServerReading } from './server-reading.ts'

/** The moves of a catalog, as they were before the servers were asked and after. */
export interface MovesSeen {
  readonly before: readonly MoveRecord[]
  readonly after: readonly MoveRecord[]
  /** Shards that somebody works on. */
  readonly leased: ReadonlySet<number>
}

const drops = { slot: 'select pg_drop_replication_slot', publication: 'drop publication' } as const

/** Shards with a move that was under way at one of both looks. */
export function listMoving({ before, after }: Pick<MovesSeen, 'before' | 'after'>): Set<number> {
  return new Set([...before, ...after].filter(({ isOver }) => !isOver).map(({ shardId }) => shardId))
}

/** Moves that nobody works on, and streams back that nobody reads. */
export function judgeMoves({ after, leased }: MovesSeen, readings: readonly ServerReading[]): Diagnosis[] {
  return after
    .filter(({ isOver, shardId }) => !isOver && !leased.has(shardId))
    .flatMap((move) =>
      move.phase === 'mirroring' ? judgeStream(move, readings) : [...judgeForward(move, readings), stopped(move)],
    )
}

/** What a move has made on a server and left there. */
export function judgeObjects(
  { serverId, objects }: ServerReading,
  { servers }: Pick<FleetRecord, 'servers'>,
  moves: MovesSeen,
): Diagnosis[] {
  const moving = listMoving(moves)
  const own = servers.find((server) => server.serverId === serverId)
  return objects.flatMap((object) => {
    if (object.kind !== 'fence' && object.kind !== 'marker') return judgeStreamObject(serverId, object, moves)
    const shardId = Number(object.name.slice('shard'.length))
    // Elsewhere the whole schema is a finding.
    if (moving.has(shardId) || own?.shardIds.includes(shardId) !== true) return []
    return [object.kind === 'fence' ? fence(serverId, shardId, object) : marker(serverId, shardId, object)]
  })
}

function judgeStream(move: MoveRecord, readings: readonly ServerReading[]): Diagnosis[] {
  const { moveId, shardId, source, target } = move
  const slot = objectsOf(move).reverse
  const reading = readings.find(({ serverId }) => serverId === target)
  if (reading === undefined) return []
  const found = reading.objects.find(({ kind, name }) => kind === 'slot' && name === slot)
  const reason = found === undefined ? 'dropped' : found.lostBecause
  if (reason !== undefined) {
    const consequence = `changes to shard ${shardId} there no longer reach server ${source}, and the move can no longer be reversed`
    return [slotLost(move, target, `${slot} (${reason}): ${consequence}`, `npx pg-hypervault move complete ${moveId}`)]
  }
  if (found?.isActive === true) return []
  return [
    {
      kind: 'stream-stopped',
      level: 'problem',
      serverId: target,
      shardId,
      what: `server ${source} does not read the changes to shard ${shardId} on server ${target}, which retains WAL for them`,
      remedy: `check the log of server ${source}, or give up the option to reverse: npx pg-hypervault move complete ${moveId}`,
    },
  ]
}

/** Phases in which the stream forward is needed. */
const following: readonly string[] = ['copying', 'catching-up']

function judgeForward(move: MoveRecord, readings: readonly ServerReading[]): Diagnosis[] {
  const slot = objectsOf(move).forward
  const reading = readings.find(({ serverId }) => serverId === move.source)
  const reason = reading?.objects.find(({ kind, name }) => kind === 'slot' && name === slot)?.lostBecause
  if (reason === undefined || !following.includes(move.phase)) return []
  const what = `${slot} (${reason}): move ${move.moveId} of shard ${move.shardId} cannot continue`
  return [slotLost(move, move.source, what, `npx pg-hypervault move abort ${move.moveId}`)]
}

function slotLost({ shardId }: MoveRecord, serverId: string, what: string, remedy: string): Diagnosis {
  return {
    kind: 'slot-lost',
    level: 'problem',
    serverId,
    shardId,
    what: `server ${serverId} has invalidated slot ${what}`,
    remedy,
  }
}

function stopped({ moveId, shardId, phase, problem }: MoveRecord): Diagnosis {
  const why = problem === undefined ? '' : `: ${problem}`
  return {
    kind: 'move-stopped',
    level: 'problem',
    shardId,
    what: `move ${moveId} of shard ${shardId} is ${phase}, and no operator is working on it${why}`,
    remedy: listVerbs(phase)
      .map((verb) => `npx pg-hypervault move ${verb} ${moveId}`)
      .join(', or '),
  }
}

function judgeStreamObject(serverId: string, object: FoundObject, { before, after }: MovesSeen): Diagnosis[] {
  const isOf = (move: MoveRecord): boolean => Object.values(objectsOf(move)).includes(object.name)
  const move = after.find(isOf)
  if (move === undefined) return [foreign(serverId, object)]
  // What was under way at the first look may have been taken away since.
  if (!move.isOver || before.find(isOf)?.isOver !== true) return []
  const { kind, name } = object
  return [
    {
      kind: 'leftover',
      level: 'problem',
      serverId,
      shardId: move.shardId,
      what: `${kind} ${name} on server ${serverId} is left over from move ${move.moveId}, which is ${move.phase}`,
      remedy: 'npx pg-hypervault doctor --fix',
      fix: { serverId, shardId: move.shardId, remove: { kind: object.kind, name } },
    },
  ]
}

/** Another catalog may work with the same server: nobody but its operator can tell. */
function foreign(serverId: string, { kind, name }: FoundObject): Diagnosis {
  const what = `${kind} ${name} on server ${serverId} belongs to no move of this catalog`
  return {
    kind: 'leftover',
    level: 'problem',
    serverId,
    what,
    remedy: `if no other catalog uses server ${serverId}, run there: ${dropOf(kind, name)}`,
  }
}

function dropOf(kind: FoundObject['kind'], name: string): string {
  if (kind === 'slot') return `${drops.slot}('${name}')`
  if (kind === 'publication') return `${drops.publication} ${name}`
  return `alter subscription ${name} disable; alter subscription ${name} set (slot_name = none); drop subscription ${name}`
}

function fence(serverId: string, shardId: number, { name, isActive }: FoundObject): Diagnosis {
  const what = isActive
    ? `shard ${shardId} lives on server ${serverId}, but a fence refuses all writes there, although no move is under way`
    : `an open fence of shard ${shardId} is left on server ${serverId}`
  return {
    kind: 'leftover',
    level: isActive ? 'problem' : 'notice',
    serverId,
    shardId,
    what,
    // Not by hand: what the closed sequences were is written down with it.
    remedy: 'npx pg-hypervault doctor --fix',
    fix: { serverId, shardId, remove: { kind: 'fence', name } },
  }
}

function marker(serverId: string, shardId: number, { name }: FoundObject): Diagnosis {
  return {
    kind: 'leftover',
    level: 'notice',
    serverId,
    shardId,
    what: `the table of markers of a move is left in ${name} on server ${serverId}`,
    remedy: `npx pg-hypervault doctor --fix, or run there: drop table ${name}.hv_marker`,
    fix: { serverId, shardId, remove: { kind: 'marker', name } },
  }
}
