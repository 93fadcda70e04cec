import { p50, p99, rate } from './metric.ts'
import type { Reading } from './rounds.ts'
import { quantile } from './statistics.ts'

/** How a sample of calls is taken. */
export interface CallerPlan {
  /** Callers side by side; each waits for its answer before it calls again. */
  readonly inFlight: number
  readonly durationMs: number
}

/** Lets callers call for a while, and tells how many calls were answered and how long they took. */
export async function driveCallers(plan: CallerPlan, call: () => Promise<unknown>): Promise<Reading> {
  const latencies: number[] = []
  const startedAt = performance.now()
  const endsAt = startedAt + plan.durationMs
  const beCaller = async (): Promise<void> => {
    for (let at = performance.now(); at < endsAt;) {
      await call()
      const now = performance.now()
      latencies.push(now - at)
      at = now
    }
  }
  await Promise.all(Array.from({ length: plan.inFlight }, beCaller))
  const seconds = (performance.now() - startedAt) / 1000
  return new Map([
    [rate, latencies.length / seconds],
    [p50, quantile(latencies, 0.5)],
    [p99, quantile(latencies, 0.99)],
  ])
}
