import { HypervaultError } from '../../errors.ts'
import type { MoveRecord, MoveReport } from './move-record.ts'

/** What a move has shown, and where it stands. */
export interface MoveResult extends MoveReport {
  readonly moveId: number
  readonly shardId: number
  readonly source: string
  readonly target: string
}

/** What a move has shown; undefined where nothing was. */
export function toResult(move: MoveRecord, report: MoveReport): MoveResult
export function toResult(move: MoveRecord, report: MoveReport | undefined): MoveResult | undefined
export function toResult(
  { moveId, shardId, source, target }: MoveRecord,
  report: MoveReport | undefined,
): MoveResult | undefined {
  return report && Object.freeze({ moveId, shardId, source, target, ...report })
}

/** Throws `HV_MOVE_PHASE` unless the move is in one of these phases. */
export function assertPhase({ moveId, phase }: MoveRecord, verb: string, allowed: readonly string[]): void {
  if (allowed.includes(phase)) return
  const message = `move ${moveId} is ${phase}: ${verb} is possible when it is ${allowed.join(' or ')}`
  throw new HypervaultError('HV_MOVE_PHASE', message, { moveId, phase })
}
