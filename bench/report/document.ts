import type { Outcome } from '../measure/goals.ts'
import type { Metric } from '../measure/metric.ts'
import type { Series } from '../measure/rounds.ts'
import { summarize, type Summary } from '../measure/statistics.ts'
import type { Plan, WorkloadResult } from '../workload.ts'
import type { Machine, ServerFacts, Versions } from './machine.ts'

/** Everything that a run has shown: what `--json` prints and `bench/results` keeps. */
export interface BenchDocument {
  /** When it began, UTC. */
  readonly date: string
  readonly durationSeconds: number
  readonly machine: Machine
  readonly versions: Versions
  readonly settings: Plan & { readonly poolMax: number }
  readonly server: ServerFacts
  readonly workloads: readonly WorkloadReport[]
}

/** What one workload has shown. */
export interface WorkloadReport {
  readonly name: string
  readonly title: string
  readonly series: readonly SeriesReport[]
  readonly goals: readonly Outcome[]
}

/** One contender in one case: median and range of its samples, which are in the order of the rounds. */
export interface SeriesReport extends Summary {
  readonly case: string
  readonly contender: string
  readonly metric: string
  readonly unit: string
  readonly better: Metric['better']
  readonly samples: readonly number[]
}

/** Puts what a workload has shown into the form of the document. */
export function reportWorkload({ name, title, series, outcomes }: WorkloadResult): WorkloadReport {
  return { name, title, series: series.map(reportSeries), goals: outcomes }
}

function reportSeries({ case: name, contender, metric, samples }: Series): SeriesReport {
  const { unit, better } = metric
  return { case: name, contender, metric: metric.name, unit, better, ...summarize(samples), samples }
}
