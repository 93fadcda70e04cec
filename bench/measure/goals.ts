import type { Metric } from './metric.ts'
import type { Series } from './rounds.ts'
import { ratiosOf, summarize, type Summary } from './statistics.ts'

/** A number that a workload has to show. */
export interface Goal {
  /** `get, 100 in flight` */
  readonly what: string
  readonly of: SeriesName
  /** The other side of the ratio: the first of these that was measured. Without any, the goal is a plain number. */
  readonly against?: readonly SeriesName[]
  readonly must: number
  readonly aim: number
}

/** Which series. */
export interface SeriesName {
  readonly case: string
  readonly contender: string
  readonly metric: Metric
}

/** How near a goal is. */
export type Verdict = 'aim' | 'must' | 'missed'

/** What became of a goal. */
export interface Outcome {
  readonly what: string
  /** Against whom, for a ratio. */
  readonly against: string | undefined
  /** Of the ratios of the rounds, or of the samples. */
  readonly value: Summary
  /** `times` for a ratio. */
  readonly unit: string
  readonly better: Metric['better']
  readonly must: number
  readonly aim: number
  readonly verdict: Verdict
}

/** Compares the goals with what was measured. One whose sides were not measured is left out. */
export function judgeGoals(goals: readonly Goal[], series: readonly Series[]): Outcome[] {
  return goals.flatMap((goal) => judgeGoal(goal, series) ?? [])
}

function judgeGoal({ what, of, against, must, aim }: Goal, series: readonly Series[]): Outcome | undefined {
  const own = findSeries(of, series)
  const other = against?.map((name) => findSeries(name, series)).find((found) => found !== undefined)
  if (own === undefined || (against !== undefined && other === undefined)) return undefined
  const value = summarize(other === undefined ? own.samples : ratiosOf(own.samples, other.samples))
  const unit = other === undefined ? own.metric.unit : 'times'
  const { better } = own.metric
  const verdict = decideVerdict(value.median, better, { must, aim })
  return { what, against: other && nameOther(other, own), value, unit, better, must, aim, verdict }
}

/** Decides how near a number comes to what it must and what it should be. */
export function decideVerdict(
  value: number,
  better: Metric['better'],
  { must, aim }: { must: number; aim: number },
): Verdict {
  const reaches = (bound: number): boolean => (better === 'more' ? value >= bound : value <= bound)
  if (reaches(aim)) return 'aim'
  return reaches(must) ? 'must' : 'missed'
}

function findSeries(name: SeriesName, series: readonly Series[]): Series | undefined {
  return series.find(
    (each) => each.case === name.case && each.contender === name.contender && each.metric === name.metric,
  )
}

function nameOther(other: Series, own: Series): string {
  return other.contender === own.contender ? other.case : other.contender
}
