import type { Goal, Outcome } from './measure/goals.ts'
import type { Series } from './measure/rounds.ts'
import type { Program } from './peers/run-program.ts'

/** How much is measured. */
export interface Plan {
  /** Rounds that count. */
  readonly rounds: number
  /** Length of one sample of calls. */
  readonly sampleMs: number
  /** Less of everything: it shows that the bench works, and little more. */
  readonly isSmoke: boolean
}

/** Programs of PostgreSQL, where they are installed. */
export interface Programs {
  readonly psql: Program | undefined
  readonly pgbench: Program | undefined
}

/** What a workload is given. */
export interface Bench {
  readonly plan: Plan
  readonly programs: Programs
  readonly signal: AbortSignal
  /** Says what is being done, on the line of progress. */
  readonly say: (what: string, done?: number, total?: number) => void
}

/** One thing that the bench measures. */
export interface Workload {
  /** For `--only`. */
  readonly name: string
  /** `get: one entity by its key, over 8 shards` */
  readonly title: string
  readonly goals: readonly Goal[]
  run(bench: Bench): Promise<Series[]>
}

/** A workload with what it has shown. */
export interface WorkloadResult {
  readonly name: string
  readonly title: string
  readonly series: readonly Series[]
  readonly outcomes: readonly Outcome[]
}
