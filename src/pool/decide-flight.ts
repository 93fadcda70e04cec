/** What is known of the oldest statement in flight. */
export interface FlightReading {
  readonly now: number
  readonly startedAt: number
  /** Whether it has to go, by the terms on which it was sent. */
  readonly isDue: boolean
  /** When the server was asked to cancel it, first and last. */
  readonly firstAskedAt: number | undefined
  readonly lastAskedAt: number | undefined
  /** Whether such a request is under way. */
  readonly isAsking: boolean
}

/** What is to be done about it. */
export type FlightDecision =
  { readonly action: 'wait'; readonly leftMs: number } | { readonly action: 'cancel' } | { readonly action: 'cut' }

/** How long a server has to answer to a cancel request, at least, before the connection is cut. */
const GRACE_MS = 1_000

/** After so long the request is repeated: it does nothing when it comes while the server is between two statements. */
const REPEAT_MS = 250

/**
 * What to do about a statement that keeps a connection: first ask the server to cancel it, which gives a definite answer,
 * and again from time to time; when its time is over and there was no answer either, cut the connection.
 */
export function decideFlight(
  reading: FlightReading,
  limits: { readonly timeoutMs: number; readonly checkMs: number },
): FlightDecision {
  const { now, startedAt, firstAskedAt, lastAskedAt } = reading
  const overAt = startedAt + limits.timeoutMs
  if (firstAskedAt === undefined || lastAskedAt === undefined) {
    return reading.isDue || now >= overAt ? { action: 'cancel' } : waitUntil(overAt, now, limits.checkMs)
  }
  const cutAt = Math.max(overAt, firstAskedAt + GRACE_MS)
  if (now >= cutAt) return { action: 'cut' }
  if (!reading.isAsking && now >= lastAskedAt + REPEAT_MS) return { action: 'cancel' }
  return waitUntil(cutAt, now, limits.checkMs)
}

function waitUntil(at: number, now: number, checkMs: number): FlightDecision {
  return { action: 'wait', leftMs: Math.min(checkMs, Math.max(1, Math.ceil(at - now))) }
}
