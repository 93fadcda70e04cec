/** How a server is, besides what is done to it. */
export interface PaceReading {
  /** Bytes that its slowest standby has yet to apply; undefined when there is none, or the role may not see it. */
  readonly lagBytes: number | undefined
  /** Sessions that wait for a lock. */
  readonly lockWaits: number
  /** How long it has been over a bound, in milliseconds. */
  readonly overMs: number
}

/** What it must not exceed. */
export interface PaceLimits {
  readonly maxLagBytes: number
  readonly maxLockWaits: number
  readonly paceTimeoutMs: number
}

/** Whether shards of the server may be touched. */
export type PaceDecision = { readonly action: 'go' } | { readonly action: 'wait' | 'stop'; readonly reason: string }

/** Decides by lag and lock waits: wait while one is over its bound, stop when that does not end. */
export function decidePace(reading: PaceReading, limits: PaceLimits): PaceDecision {
  const reason = describeExcess(reading, limits)
  if (reason === undefined) return { action: 'go' }
  return { action: reading.overMs >= limits.paceTimeoutMs ? 'stop' : 'wait', reason }
}

function describeExcess(
  { lagBytes = 0, lockWaits }: PaceReading,
  { maxLagBytes, maxLockWaits }: PaceLimits,
): string | undefined {
  if (lagBytes > maxLagBytes) return `a standby lags ${lagBytes} bytes behind, more than ${maxLagBytes}`
  if (lockWaits > maxLockWaits) return `${lockWaits} sessions wait for locks, more than ${maxLockWaits}`
  return undefined
}
