/** How a shard has fared that somebody else holds. */
export interface LockReading {
  /** How often it was tried. */
  readonly tries: number
  /** Since when, in milliseconds. */
  readonly waitedMs: number
}

/** Whether it is tried again. */
export type LockDecision =
  | { readonly action: 'again'; readonly pauseMs: number }
  | { readonly action: 'fail'; readonly tries: number; readonly waitedMs: number }

const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 5_000

/** Decides about a shard whose lock was not free: again after a pause that doubles, until the budget is spent. */
export function decideLockRetry({ tries, waitedMs }: LockReading, budgetMs: number): LockDecision {
  if (waitedMs >= budgetMs) return { action: 'fail', tries, waitedMs }
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, tries - 1), LAST_PAUSE_MS)
  return { action: 'again', pauseMs }
}
