import type { DriftReport, InvalidIndex, ShapeGroup } from '../../schema/drift/drift-report.ts'
import type { PlacedFailure } from '../../topology/like-failures.ts'
import { formatCount, formatShards } from '../terminal/amounts.ts'
import { failureLines, tellFailures } from '../terminal/failure-lines.ts'
import { oneLine } from '../terminal/failure.ts'
import type { Output } from '../terminal/output.ts'
import { formatTable } from '../terminal/table.ts'

/** Most lines that are printed of what a group lacks or has; the JSON document has them all. */
const MAX_LINES = 20

/** Most groups of which the difference is printed. */
const MAX_GROUPS = 10

/** Characters of a line: enough for a column or a constraint, while the body of a function is cut. */
const MAX_WIDTH = 300

/** Prints in what shards differ, and what to do about it. */
export async function printDrift(report: DriftReport, output: Output): Promise<void> {
  const { groups, absent, invalidIndexes, fixedIndexes, failures, leftOut } = report
  if (groups.length > 1) await printGroups(groups, output)
  for (const line of failureLines(fixedIndexes.map((index) => toFailure(index, 'was rebuilt')))) output.talk(line)
  tellFailures(
    invalidIndexes.map((index) => toFailure(index, 'is invalid')),
    output,
  )
  if (absent.length > 0) output.problem(`${describeShards(absent)} missing`, 'Run: npx pg-hypervault init')
  tellFailures(failures, output)
  const advice = adviceOf(report)
  if (advice !== undefined) output.talk(advice)
  output.talk(`Not compared: ${leftOut.join('; ')}.`)
}

/** What to type, for what can be put right by typing something. */
function adviceOf({ groups, invalidIndexes, isClean }: DriftReport): string | undefined {
  const shards = groups.reduce((sum, { shardIds }) => sum + shardIds.length, 0)
  if (isClean && shards === 0) return 'There are no shards yet. To create them, run: npx pg-hypervault init'
  if (isClean)
    return shards === 1 ? 'There is one shard.' : `All ${formatCount(shards)} shards have the same definition.`
  if (invalidIndexes.length > 0) return 'To rebuild the indexes, run: npx pg-hypervault migrate verify --fix'
  if (groups.length < 2) return undefined
  return 'If migrations are pending in some shards, run: npx pg-hypervault migrate up. To repair other differences, run SQL in the schemas of these shards.'
}

async function printGroups(groups: readonly ShapeGroup[], output: Output): Promise<void> {
  const rows = groups.map((group, index) => [
    String(index + 1),
    formatCount(group.shardIds.length),
    formatShards(group.shardIds),
    group.isReference ? 'reference for the others' : '',
  ])
  const columns = [
    { head: 'group', align: 'right' },
    { head: 'shards', align: 'right' },
    { head: 'which', align: 'left' },
    { head: '', align: 'left' },
  ] as const
  await output.data(formatTable(columns, rows))
  const others = groups.map((group, index) => ({ group, number: index + 1 })).slice(1)
  for (const { group, number } of others.slice(0, MAX_GROUPS)) await printDifference(group, number, output)
  if (others.length > MAX_GROUPS) output.talk(`${others.length - MAX_GROUPS} more groups: add --json to see them`)
}

/** Lines with a minus are missing in a group, those with a plus are only there. */
async function printDifference({ missing, extra }: ShapeGroup, number: number, output: Output): Promise<void> {
  const lines = [...missing.map((line) => `  - ${shorten(line)}`), ...extra.map((line) => `  + ${shorten(line)}`)]
  await output.data([`\ngroup ${number}`, ...lines.slice(0, MAX_LINES)].join('\n'))
  if (lines.length > MAX_LINES) await output.data(`  and ${lines.length - MAX_LINES} more: add --json to see them`)
}

function shorten(line: string): string {
  const text = oneLine(line)
  return text.length <= MAX_WIDTH ? text : `${text.slice(0, MAX_WIDTH - 1)}…`
}

function toFailure({ serverId, shardId, name }: InvalidIndex, what: string): PlacedFailure {
  return { serverId, shardId, message: `index ${name} ${what}` }
}

function describeShards(shardIds: readonly number[]): string {
  return shardIds.length === 1 ? `shard ${shardIds[0]} is` : `shards ${formatShards(shardIds)} are`
}
