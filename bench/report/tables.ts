import { formatTable } from '../../src/cli/terminal/table.ts'
import type { Outcome, Verdict } from '../measure/goals.ts'
import type { BenchDocument, SeriesReport, WorkloadReport } from './document.ts'
import { formatNoise, formatNumber, formatRange } from './numbers.ts'

const verdicts: Readonly<Record<Verdict, string>> = { aim: 'aim reached', must: 'reached', missed: 'MISSED' }

/** The head of the report: machine, versions, settings. */
export function showSurroundings({ date, machine, versions, settings, server }: BenchDocument): string {
  return [
    `${date.slice(0, 16).replace('T', ' ')} UTC, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.os}`,
    `PostgreSQL ${server.version}, ${listPairs(versions)}`,
    `${settings.rounds} rounds, samples of ${settings.sampleMs} ms, at most ${settings.poolMax} connections for each client`,
    `server: ${listPairs(server.settings)}`,
  ].join('\n')
}

/** A table of all that a workload has measured, and one of its goals. */
export function showWorkload(workload: WorkloadReport): string {
  const goals = workload.goals.length === 0 ? [] : ['', showGoals(workload.goals)]
  return [workload.title, '', showSeries(workload.series), ...goals].join('\n')
}

/** What must be reached, and what was. */
export function showGoals(goals: readonly Outcome[]): string {
  const rows = goals.map((goal) => [
    goal.what,
    goal.against === undefined ? goal.unit : `times ${goal.against}`,
    formatRange(goal.value),
    formatBound(goal.must, goal.better),
    formatBound(goal.aim, goal.better),
    verdicts[goal.verdict],
  ])
  return formatTable(
    ['goal', '', 'median (range)', 'must', 'aim', ''].map((head, index) => ({
      head,
      align: index >= 2 && index <= 4 ? 'right' : 'left',
    })),
    rows,
  )
}

function showSeries(series: readonly SeriesReport[]): string {
  const metrics = [...new Map(series.map(({ metric, unit }) => [metric, unit]))]
  const heads = metrics.flatMap(([metric, unit]) => [`${metric} ${unit}`, ''])
  const columns = ['case', 'contender', ...heads].map((head, index) => ({
    head,
    align: index < 2 ? ('left' as const) : ('right' as const),
  }))
  return formatTable(columns, rowsOf(series, metrics))
}

/** A row for each contender in each case; the name of the case stands in its first row alone. */
function rowsOf(series: readonly SeriesReport[], metrics: readonly [string, string][]): string[][] {
  return [...new Set(series.map((each) => each.case))].flatMap((name) => {
    const own = series.filter((each) => each.case === name)
    return [...new Set(own.map(({ contender }) => contender))].map((contender, index) => {
      const find = (metric: string): SeriesReport | undefined =>
        own.find((each) => each.contender === contender && each.metric === metric)
      return [index === 0 ? name : '', contender, ...metrics.flatMap(([metric]) => cellsOf(find(metric)))]
    })
  })
}

function cellsOf(series: SeriesReport | undefined): [string, string] {
  return series === undefined ? ['', ''] : [formatNumber(series.median), formatNoise(series)]
}

function formatBound(bound: number, better: 'more' | 'less'): string {
  return `${better === 'more' ? '≥' : '≤'} ${formatNumber(bound)}`
}

function listPairs(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
