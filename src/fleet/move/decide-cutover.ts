/** How the stream of changes fares. */
export interface CutoverReading {
  /** Undefined when it could not be read. */
  readonly lagBytes: number | undefined
  readonly waitedMs: number
}

/** When to go, and when to give up. */
export interface CutoverLimits {
  readonly maxLagBytes: number
  readonly timeoutMs: number
}

/** What to do next. */
export type CutoverDecision =
  | { readonly action: 'go'; readonly lagBytes: number }
  | { readonly action: 'wait' }
  | { readonly action: 'abort'; readonly lagBytes: number | undefined }

/** Decides whether the cutover begins. An unknown lag never means go; running out of time means abort. */
export function decideCutover({ lagBytes, waitedMs }: CutoverReading, limits: CutoverLimits): CutoverDecision {
  if (lagBytes !== undefined && lagBytes <= limits.maxLagBytes) return { action: 'go', lagBytes }
  if (waitedMs >= limits.timeoutMs) return { action: 'abort', lagBytes }
  return { action: 'wait' }
}
