/** How a run fares. */
export interface StopReading {
  /** Shards that have failed. */
  readonly failed: number
  /** Whether one of those that go first is among them. */
  readonly hasCanaryFailed: boolean
}

/** Decides whether a run stops by itself: the reason, or undefined to go on. */
export function decideStop({ failed, hasCanaryFailed }: StopReading, maxFailures: number): string | undefined {
  if (hasCanaryFailed) return 'the canary failed, so no other shard was touched'
  if (failed > maxFailures) return `${failed} shards failed, more than ${maxFailures}`
  return undefined
}
