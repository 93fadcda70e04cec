import type { PlannedMove } from './decide-rebalance.ts'

/** Decides which of the moves that wait may begin: on each server at most `limit` are under way, as source or as target. */
export function decideNext(
  waiting: readonly PlannedMove[],
  running: readonly PlannedMove[],
  limit: number,
): PlannedMove[] {
  const busy = new Map<string, number>()
  const countOf = (serverId: string): number => busy.get(serverId) ?? 0
  const occupy = ({ from, to }: PlannedMove): void => {
    for (const serverId of [from, to]) busy.set(serverId, countOf(serverId) + 1)
  }
  running.forEach(occupy)
  const next: PlannedMove[] = []
  for (const move of waiting) {
    if (countOf(move.from) >= limit || countOf(move.to) >= limit) continue
    occupy(move)
    next.push(move)
  }
  return next
}
