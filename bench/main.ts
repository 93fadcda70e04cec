/**
 * The bench: this library beside its peers, in one run, on the same servers and tables.
 *
 *     npm run bench                      everything, five minutes
 *     npm run bench -- --smoke           a little of everything, under a minute
 *     npm run bench -- --only get,put    some workloads; --rounds 9 for less noise
 *     npm run bench -- --json            prints one JSON document last on standard output
 *
 * What is compared is a ratio inside a run: contenders take turns in every round, and each ratio is that of one round.
 * The results are kept in bench/results, with a chart.
 */
import { Output } from '../src/cli/terminal/output.ts'
import { UsageError } from '../src/cli/arguments/usage-error.ts'
import { DEFAULT_ROUNDS, parseArguments, type BenchArguments } from './arguments.ts'
import { judgeGoals } from './measure/goals.ts'
import { POOL_MAX } from './peers/entity-client.ts'
import { findProgram } from './peers/run-program.ts'
import { reportWorkload, type BenchDocument, type WorkloadReport } from './report/document.ts'
import { nameRun, saveResults } from './report/files.ts'
import { readMachine, readServerFacts, readVersions } from './report/machine.ts'
import { ProgressLine } from './report/progress-line.ts'
import { showSurroundings, showWorkload } from './report/tables.ts'
import type { Bench, Plan, Programs, Workload } from './workload.ts'
import { workloads } from './workloads.ts'

const SAMPLE_MS = 500
const SMOKE_SAMPLE_MS = 150

const names = workloads.map(({ name }) => name)

const usage = `Usage: npm run bench -- [options]

  --only <names>   workloads: ${names.join(', ')}
  --rounds <n>     rounds that count, default ${DEFAULT_ROUNDS}
  --smoke          a little of everything, under a minute
  --json           print one JSON document last on standard output
  --save <name>    keep the results as bench/results/<name>.json and .svg; default run-<time>, which git ignores
  --help           print this`

async function runBench(args: BenchArguments, output: Output, signal: AbortSignal): Promise<void> {
  const chosen = args.only.length === 0 ? workloads : workloads.filter(({ name }) => args.only.includes(name))
  const startedAt = performance.now()
  const date = new Date().toISOString()
  const plan = planOf(args)
  const programs: Programs = { psql: await findProgram('psql'), pgbench: await findProgram('pgbench') }
  const about = {
    date,
    machine: readMachine(),
    versions: readVersions(programs),
    settings: { ...plan, poolMax: POOL_MAX },
    server: await readServerFacts(signal),
  }
  const reports = await runWorkloads(chosen, { plan, programs, signal }, output)
  const durationSeconds = Math.round((performance.now() - startedAt) / 1000)
  await present({ ...about, durationSeconds, workloads: reports }, args, output)
}

function planOf({ rounds, isSmoke }: BenchArguments): Plan {
  return { rounds, isSmoke, sampleMs: isSmoke ? SMOKE_SAMPLE_MS : SAMPLE_MS }
}

async function runWorkloads(
  chosen: readonly Workload[],
  bench: Omit<Bench, 'say'>,
  output: Output,
): Promise<WorkloadReport[]> {
  using line = new ProgressLine(output)
  const reports: WorkloadReport[] = []
  for (const workload of chosen) {
    const series = await workload.run({ ...bench, say: (...args) => line.say(...args) })
    const outcomes = judgeGoals(workload.goals, series)
    reports.push(reportWorkload({ ...workload, series, outcomes }))
  }
  return reports
}

async function present(document: BenchDocument, args: BenchArguments, output: Output): Promise<void> {
  const paths = await saveResults(document, args.save ?? nameRun(document.date))
  const report = [showSurroundings(document), ...document.workloads.map(showWorkload)].join('\n\n')
  if (args.isJson) output.talk(report)
  else await output.data(report)
  output.talk(`\nkept in ${paths.join(' and ')}`)
  if (args.isJson) await output.json(document)
}

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => interrupt.abort(new Error(`stopped by ${signal}`)))
}
const output = new Output(process.stdout, process.stderr, process.env)
try {
  const args = parseArguments(process.argv.slice(2), names)
  if (args.isHelp) await output.data(usage)
  else await runBench(args, output, interrupt.signal)
} catch (error) {
  output.problem(
    error instanceof Error ? error.message : String(error),
    error instanceof UsageError ? error.hint : undefined,
  )
  process.exitCode = error instanceof UsageError ? 2 : 1
}
