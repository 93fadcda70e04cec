import type { Catalog } from '../../catalog/catalog.ts'
import { HypervaultError } from '../../errors.ts'
import type { ServerRow, ServerSession } from '../../server/server-session.ts'

/*
 *   phase         means                                              next
 *   preparing     objects are being made on both sides               copying
 *   copying       rows that were there are being copied              catching-up
 *   catching-up   the stream of changes is followed                  switched
 *   switched      the shard lives on the target (no return by abort) mirroring
 *   mirroring     what is written on the target streams back         completed, reversed
 *   completed     the source has no trace of the shard               –
 *   aborted       the target has no trace of the shard               –
 *   reversed      the shard lives on the source again                –
 */

/** How far a move is. */
export type MovePhase =
  | 'preparing'
  | 'copying'
  | 'catching-up'
  | 'switched'
  | 'mirroring'
  | 'completing'
  | 'aborting'
  | 'reversing'
  | 'completed'
  | 'aborted'
  | 'reversed'

/** What a move is asked for. */
export interface MoveOptions {
  /** Longest pause of the writers, in milliseconds. */
  readonly maxPauseMs: number
  /** Most bytes of rows in a second while they are copied; undefined when PostgreSQL copies them, as fast as it can. */
  readonly throttleBytesPerSecond?: number | undefined
}

/** What a move can prove. */
export interface MoveReport {
  readonly tables: number
  readonly rows: number
  readonly chunks: number
  readonly mismatches: readonly string[]
  /** How long writers had to wait, from the first lock of the fence to the switch. */
  readonly pauseMs: number
  /** Position in the WAL of the source that the proof stands for. */
  readonly lsn: string
  /** False when a crash took the snapshots, so that the live rows were compared. */
  readonly isExact: boolean
}

/** A move as the catalog has it. */
export interface MoveRecord {
  readonly moveId: number
  /** Part of the names of what the move makes: other catalogs have moves of the same number. */
  readonly tag: string
  readonly shardId: number
  readonly source: string
  readonly target: string
  readonly phase: MovePhase
  readonly isOver: boolean
  readonly switchedEpoch: number | undefined
  readonly options: MoveOptions
  readonly report: MoveReport | undefined
  readonly problem: string | undefined
  readonly actor: string
  readonly startedAt: Date
  readonly changedAt: Date
}

const columns = [
  'move_id, tag, shard_id, source, target, phase, is_over, switched_epoch, options, report, problem, actor',
  'to_char(started_at at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')',
  'to_char(changed_at at time zone \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')',
].join(', ')

/** Begins a move. Throws `HV_MOVE_UNDER_WAY` when the shard has one already. */
export async function insertMove(
  session: ServerSession,
  move: Pick<MoveRecord, 'shardId' | 'source' | 'target' | 'options' | 'actor'>,
): Promise<MoveRecord> {
  const [row] = await session.read({
    text: [
      'insert into hypervault.moves (shard_id, source, target, phase, options, actor)',
      "values ($1, $2, $3, 'preparing', $4, $5)",
      'on conflict do nothing',
      `returning ${columns}`,
    ].join('\n'),
    values: [String(move.shardId), move.source, move.target, JSON.stringify(move.options), move.actor],
  })
  if (row !== undefined) return parseMove(row)
  const message = `shard ${move.shardId} is already being moved`
  throw new HypervaultError('HV_MOVE_UNDER_WAY', message, { shardId: move.shardId })
}

/** The moves, the newest first. */
export async function listMoves(session: ServerSession, { isOver }: { isOver?: boolean } = {}): Promise<MoveRecord[]> {
  const rows = await session.read({
    text: [
      `select ${columns} from hypervault.moves`,
      isOver === undefined ? '' : `where is_over = ${isOver}`,
      'order by move_id desc',
    ].join('\n'),
  })
  return rows.map(parseMove)
}

/** One move. Throws `HV_MOVE_UNKNOWN`. */
export async function getMove(catalog: Catalog, moveId: number): Promise<MoveRecord> {
  const text = `select ${columns} from hypervault.moves where move_id = $1`
  const [row] = await catalog.withSession((session) => session.read({ text, values: [String(moveId)] }))
  if (row !== undefined) return parseMove(row)
  throw new HypervaultError('HV_MOVE_UNKNOWN', `there is no move ${moveId}`, { moveId })
}

function parseMove(row: ServerRow): MoveRecord {
  const [
    moveId,
    tag,
    shardId,
    source,
    target,
    phase,
    isOver,
    epoch,
    options,
    report,
    problem,
    actor,
    startedAt,
    changedAt,
  ] = row
  return Object.freeze({
    moveId: Number(moveId),
    tag: tag ?? '',
    shardId: Number(shardId),
    source: source ?? '',
    target: target ?? '',
    phase: phase as MovePhase,
    isOver: isOver === 't',
    switchedEpoch: epoch == null ? undefined : Number(epoch),
    options: JSON.parse(options ?? '{}') as MoveOptions,
    report: report == null ? undefined : (JSON.parse(report) as MoveReport),
    problem: problem ?? undefined,
    actor: actor ?? '',
    startedAt: new Date(startedAt ?? ''),
    changedAt: new Date(changedAt ?? ''),
  })
}
