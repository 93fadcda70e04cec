import type { ExportChoices } from './export-options.ts'
import type { ExportTerms } from './export-state.ts'

/** Everything that decides what is in the file, in the words of the command line. */
export function describeExportTerms({ form, kinds, isPacked }: ExportChoices): ExportTerms {
  const { format = 'ndjson', columns, shards, createdAfter, createdBefore, onShardError = 'throw' } = form
  return {
    '--format': format,
    '--columns': columns === undefined ? null : JSON.stringify(columns),
    '--kind': kinds?.join() ?? null,
    '--shards': shards?.join() ?? null,
    '--created-after': createdAfter?.toISOString() ?? null,
    '--created-before': createdBefore?.toISOString() ?? null,
    '--on-shard-error': onShardError,
    '--gzip': isPacked,
  }
}
