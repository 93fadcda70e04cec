import type { ListedIndex } from '../../schema/indexes/list-indexes.ts'
import type { IndexReport, ServerIndexReport } from '../../schema/indexes/shard-indexes.ts'
import type { Context } from '../context.ts'
import { formatBytes, formatCount, formatShards } from '../terminal/amounts.ts'
import { oneLine } from '../terminal/failure.ts'
import { formatTable, type Column } from '../terminal/table.ts'

/** What is done with an index. */
export type IndexVerb = 'create' | 'drop'

const outcomes: Readonly<Record<IndexVerb, readonly Exclude<keyof ServerIndexReport, 'serverId'>[]>> = {
  create: ['created', 'repaired', 'unchanged'],
  drop: ['dropped', 'unchanged'],
}

const columns: readonly Column[] = [
  { head: 'index', align: 'left' },
  { head: 'shards', align: 'right' },
  { head: 'bytes', align: 'right' },
  { head: 'unique', align: 'left' },
  { head: 'definition', align: 'left' },
]

/** Prints in how many shards of each server an index was created or dropped. */
export async function printIndexReport(report: IndexReport, verb: IndexVerb, context: Context): Promise<void> {
  if (context.isJson) return context.output.json(report)
  if (verb === 'drop' && report.servers.every(({ dropped }) => dropped.length === 0)) {
    const hint = 'Nothing was dropped. To see the indexes, run: npx pg-hypervault index list'
    return context.output.talk(`No shard has an index ${oneLine(report.name)}. ${hint}`)
  }
  const heads = outcomes[verb]
  const counts = heads.map((head) => ({ head, align: 'right' as const }))
  const rows = report.servers.map((server) => [
    server.serverId,
    report.name,
    ...heads.map((head) => formatCount(server[head].length)),
  ])
  const names = ['server', 'index'].map((head) => ({ head, align: 'left' as const }))
  await context.output.data(formatTable([...names, ...counts], rows))
}

/** Prints indexes, and below them where one is not as it should be. */
export async function printIndexes(indexes: readonly ListedIndex[], total: number, context: Context): Promise<void> {
  const { output, isJson } = context
  if (isJson) return output.json({ indexes })
  if (indexes.length === 0) return output.talk('There are no indexes except the primary keys.')
  const rows = indexes.map(({ name, shards, bytes, isUnique, definition }) => [
    oneLine(name),
    `${formatCount(shards.length)}/${formatCount(total)}`,
    formatBytes(bytes),
    isUnique ? 'yes' : '',
    oneLine(definition),
  ])
  await output.data(formatTable(columns, rows))
  for (const line of indexes.flatMap(describeProblems)) await output.data(line)
}

function describeProblems({ name, invalid, missing }: ListedIndex): string[] {
  return [
    ...(invalid.length > 0 ? [`${oneLine(name)}: invalid in shards ${formatShards(invalid)}; create it again`] : []),
    ...(missing.length > 0 ? [`${oneLine(name)}: missing in shards ${formatShards(missing)}`] : []),
  ]
}
