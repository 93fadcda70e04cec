import type { Command } from 'commander'
import type { DoctorReport } from '../../fleet/doctor/doctor.ts'
import type { Finding } from '../../fleet/doctor/finding.ts'
import { describeAlike, groupFailures, type PlacedFailure } from '../../topology/like-failures.ts'
import type { Context } from '../context.ts'
import { formatCount } from '../terminal/amounts.ts'
import { oneLine } from '../terminal/failure.ts'
import type { Output } from '../terminal/output.ts'
import { StopRequest } from '../terminal/stop-request.ts'

/** `npx pg-hypervault doctor`: what is wrong with a fleet, and what to type. */
export function addDoctorCommand(program: Command, context: Context): void {
  program
    .command('doctor')
    .summary('find problems of a fleet, and print how to fix them')
    .description(
      'Checks the servers, shards and moves of a fleet: obstacles to moving a shard, shards on two servers or on none, leftovers of moves, clocks, keys, poolers. Moves nothing. Exit code 1 if there is a problem; notices do not count.',
    )
    .option('--fix', 'repair whatever needs no row changes: leftovers of finished moves, caches of sequences')
    .addHelpText(
      'after',
      `
Examples:
  npx pg-hypervault doctor
  npx pg-hypervault doctor --fix
  npx pg-hypervault doctor --json | jq -r '.findings[] | select(.level == "problem") | .remedy'

With --json: { "isHealthy", "servers": [{ "serverId", "isReachable", "shards" }], "findings": [{ "kind", "level",
"serverId", "shardId", "what", "remedy", "isFixable", "isFixed", "fixProblem" }] }.`,
    )
    .action(({ fix }: { fix?: boolean }) => runDoctor(fix === true, context))
}

async function runDoctor(fix: boolean, context: Context): Promise<void> {
  const { output, isJson } = context
  using stop = new StopRequest(context.signals, output.closed)
  try {
    const report = await context.withFleet((fleet) => fleet.doctor({ fix, signal: stop.signal }), stop.signal)
    if (!report.isHealthy) context.exitCode = 1
    await (isJson ? output.json(redacted(report, output)) : printReport(report, output))
  } catch (error) {
    if (!stop.signal.aborted) throw error
    context.exitCode = 1
    output.problem('stopped before the end')
  }
}

async function printReport({ servers, findings }: DoctorReport, output: Output): Promise<void> {
  for (const { where, members } of groupFailures(findings.map(toFailure))) {
    const prefix = members.length > 1 && where !== '' ? `${where}: ` : ''
    for (const line of describeFindings(members, prefix, output)) await output.data(output.redactor.redact(line))
  }
  const shards = servers.reduce((sum, server) => sum + server.shards, 0)
  output.talk(`${amount(servers.length, 'server')}, ${amount(shards, 'shard')}: ${countFindings(findings)}.`)
}

type PlacedFinding = Finding & PlacedFailure

/** Findings are alike when what they are, what to do, and what became of it are. */
function toFailure(finding: Finding): PlacedFinding {
  const { kind, level, what, remedy, isFixed, fixProblem = '' } = finding
  return { ...finding, code: `${kind} ${level} ${isFixed}`, message: oneLine([what, remedy, fixProblem].join(' ')) }
}

function describeFindings(findings: readonly PlacedFinding[], prefix: string, output: Output): string[] {
  const { level, isFixed, fixProblem } = findings[0] as PlacedFinding
  const tell = (textOf: (finding: Finding) => string): string => oneLine(describeAlike(findings, textOf))
  const remedy = tell((finding) => finding.remedy)
  const label = isFixed
    ? output.paintData('green', 'fixed')
    : output.paintData(level === 'problem' ? 'red' : 'cyan', level)
  return [
    `${label}: ${prefix}${tell(({ what }) => what)}`,
    ...(isFixed || remedy === '' ? [] : [`    do: ${remedy}`]),
    ...(fixProblem === undefined ? [] : [`    not fixed: ${tell((finding) => finding.fixProblem ?? '')}`]),
  ]
}

function countFindings(findings: readonly Finding[]): string {
  const open = findings.filter(({ isFixed }) => !isFixed)
  const count = (level: Finding['level']): number => open.filter((finding) => finding.level === level).length
  const [problems, notices, fixed] = [count('problem'), count('notice'), findings.length - open.length]
  if (problems + notices + fixed === 0) return 'nothing is wrong'
  const parts = [amount(problems, 'problem'), amount(notices, 'notice')]
  return [...parts, ...(fixed > 0 ? [`${formatCount(fixed)} fixed`] : [])].join(', ')
}

function amount(count: number, name: string): string {
  return `${formatCount(count)} ${name}${count === 1 ? '' : 's'}`
}

function redacted(report: DoctorReport, { redactor }: Output): unknown {
  const findings = report.findings.map((finding) => ({
    ...finding,
    what: redactor.redact(finding.what),
    remedy: redactor.redact(finding.remedy),
  }))
  return { ...report, findings }
}
