/** What a number of the bench means. */
export interface Metric {
  /** How it is called in the document. */
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
}

/** Calls, or rows, in a second. */
export const rate: Metric = { name: 'rate', unit: '/s', better: 'more' }

/** Time of a call: half of the calls took less. */
export const p50: Metric = { name: 'p50', unit: 'ms', better: 'less' }

/** Time of a call: one of a hundred took longer. */
export const p99: Metric = { name: 'p99', unit: 'ms', better: 'less' }

/** Private memory of the largest backend of a client. */
export const backendMemory: Metric = { name: 'memory', unit: 'MB', better: 'less' }

/** How far the heap of this process grows. */
export const heap: Metric = { name: 'heap', unit: 'MB', better: 'less' }

/** Time of this process that one call takes. */
export const cost: Metric = { name: 'cost', unit: 'ns', better: 'less' }
