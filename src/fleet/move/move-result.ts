import type { MoveRecord, MoveReport } from './move-record.ts'

/** What a move has shown, and where it stands. */
export interface MoveResult extends MoveReport {
  readonly moveId: number
  readonly shardId: number
  readonly source: string
  readonly target: string
}

/** A report with the move that it is about. */
export function toResult(move: MoveRecord, report: MoveReport): MoveResult
export function toResult(move: MoveRecord, report: MoveReport | undefined): MoveResult | undefined
export function toResult(
  { moveId, shardId, source, target }: MoveRecord,
  report: MoveReport | undefined,
): MoveResult | undefined {
  return report && Object.freeze({ moveId, shardId, source, target, ...report })
}
