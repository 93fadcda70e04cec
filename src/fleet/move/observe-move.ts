import type { Catalog } from '../../catalog/catalog.ts'
import type { FleetLink, FleetLinks } from '../servers.ts'
import type { JournalEntry } from './journal.ts'
import { getMove, type MovePhase, type MoveRecord } from './move-record.ts'
import { objectsOf } from './object-names.ts'
import { readLag } from './replication-sql.ts'

/** A move, what it has done, and how far its stream is behind now. */
export interface MoveStatus {
  readonly move: MoveRecord
  /** What happened, the oldest first. */
  readonly steps: readonly JournalEntry[]
  /** Changes that are not on the other side yet, in bytes of WAL; undefined when nobody reads them. */
  readonly lagBytes: number | undefined
  /** WAL that the slot of the stream keeps on disk. */
  readonly retainedBytes: number | undefined
  /** What may be done about the move now. */
  readonly next: readonly MoveVerb[]
}

/** What an operator may do with a move. */
export type MoveVerb = 'resume' | 'abort' | 'complete' | 'reverse'

const verbs: Readonly<Record<MovePhase, readonly MoveVerb[]>> = {
  preparing: ['resume', 'abort'],
  copying: ['resume', 'abort'],
  'catching-up': ['resume', 'abort'],
  switched: ['resume'],
  mirroring: ['complete', 'reverse'],
  completing: ['resume'],
  aborting: ['resume'],
  reversing: ['resume'],
  completed: [],
  aborted: [],
  reversed: [],
}

/** What may be done about a move in a phase, when nobody works on it. */
export function listVerbs(phase: MovePhase): readonly MoveVerb[] {
  return verbs[phase]
}

/** Looks at a move, also while somebody works on it. Throws `HV_MOVE_UNKNOWN`. */
export async function observeMove(
  catalog: Catalog,
  links: FleetLinks,
  moveId: number,
  signal?: AbortSignal,
): Promise<MoveStatus> {
  const move = await getMove(catalog, moveId)
  const steps = await readSteps(catalog, moveId)
  return Object.freeze({ move, steps, ...(await tryReadLag(move, links, signal)), next: listVerbs(move.phase) })
}

async function readSteps(catalog: Catalog, moveId: number): Promise<JournalEntry[]> {
  const text = [
    'select step, state, to_char(at at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')',
    'from hypervault.move_steps where move_id = $1',
    'order by step_id',
  ].join('\n')
  const rows = await catalog.withSession((session) => session.read({ text, values: [String(moveId)] }))
  return rows.map(([step, state, at]) => ({ step: step ?? '', state: state as JournalEntry['state'], at: at ?? '' }))
}

/** The stream that counts in a phase; a server that is down must not hide the rest. */
async function tryReadLag(
  move: MoveRecord,
  links: FleetLinks,
  signal: AbortSignal | undefined,
): Promise<Pick<MoveStatus, 'lagBytes' | 'retainedBytes'>> {
  const unknown = { lagBytes: undefined, retainedBytes: undefined }
  if (move.isOver) return unknown
  const { forward, reverse } = objectsOf(move)
  const isForward = move.switchedEpoch === undefined
  try {
    const link = await links.get(isForward ? move.source : move.target, signal)
    return await readStream(link, isForward ? forward : reverse)
  } catch {
    signal?.throwIfAborted()
    return unknown
  }
}

async function readStream(link: FleetLink, slot: string): Promise<Pick<MoveStatus, 'lagBytes' | 'retainedBytes'>> {
  const [row] = await link.withSession((session) => session.read(readLag(slot)))
  const [lag, retained, isActive] = row ?? []
  return {
    lagBytes: lag == null || isActive !== 't' ? undefined : Number(lag),
    retainedBytes: retained == null ? undefined : Number(retained),
  }
}
