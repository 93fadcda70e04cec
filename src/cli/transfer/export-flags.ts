import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { assertKind } from '../../entity/rows/entity.ts'
import { checkExport, type ExportFormat } from '../../entity/scan/export/export-options.ts'
import type { ShardErrorPolicy } from '../../entity/scan/scan-query.ts'
import type { ExportChoices, ExportForm, ExportPlaces } from '../../transfer/export/export-options.ts'
import { parseInteger } from '../arguments/numbers.ts'
import { parseShards } from '../arguments/shards.ts'
import { checkUsage, UsageError } from '../arguments/usage-error.ts'
import type { Context } from '../context.ts'

/** Options of `export`, as commander gives them. */
export interface ExportFlags {
  readonly kind?: string
  readonly shards?: string
  readonly createdAfter?: string
  readonly createdBefore?: string
  readonly format?: ExportFormat
  readonly columns?: string
  readonly gzip?: boolean
  readonly onShardError: ShardErrorPolicy
  readonly state?: string
  readonly restart?: boolean
}

/** What is exported, and in which form. Throws a {@link UsageError}. */
export function readExportChoices(
  file: string,
  flags: ExportFlags,
): Pick<ExportChoices, 'form' | 'kinds' | 'isPacked'> {
  const { kind, gzip } = flags
  const form = readForm(file, flags)
  checkUsage(() => checkExport(form, 0))
  return {
    form,
    kinds: kind === undefined ? undefined : readKinds(kind),
    isPacked: gzip ?? /\.gz$/i.test(file),
  }
}

/** Where an export to a file is kept. Throws a {@link UsageError} for a file that is there and was not begun by an export. */
export async function readExportPlaces(
  path: string,
  { state, restart: isRestart = false }: ExportFlags,
  { cwd }: Context,
): Promise<ExportPlaces> {
  const journalPath = state ?? `${path}.hv-export`
  if (resolve(cwd, path) === resolve(cwd, journalPath)) {
    throw new UsageError('the file and --state must be different files')
  }
  if (!isRestart && (await isThere(path)) && !(await isThere(journalPath))) {
    throw new UsageError(`${path} already exists, and no export to it is under way`, 'Add --restart to replace it.')
  }
  return { path, journalPath, isRestart }
}

function readForm(file: string, flags: ExportFlags): ExportForm {
  const { shards, createdAfter, createdBefore, columns, onShardError } = flags
  return {
    format: flags.format ?? formatOfName(file),
    onShardError,
    ...(shards !== undefined && { shards: parseShards('--shards', shards) }),
    ...(createdAfter !== undefined && { createdAfter: readTime('--created-after', createdAfter) }),
    ...(createdBefore !== undefined && { createdBefore: readTime('--created-before', createdBefore) }),
    ...(columns !== undefined && { columns: columns.split(',').map((column) => column.trim()) }),
  }
}

function formatOfName(file: string): ExportFormat {
  return /\.csv(?:\.gz)?$/i.test(file) ? 'csv' : 'ndjson'
}

/** Each once, in the order in which they are named. */
function readKinds(text: string): number[] {
  return [...new Set(text.split(',').map((part) => parseInteger('--kind', part.trim(), assertKind)))]
}

/** A time without a zone would mean another one on each computer. */
function readTime(flag: string, text: string): Date {
  const isClear = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)
  const time = new Date(text)
  if (isClear && !Number.isNaN(time.getTime())) return time
  throw new UsageError(
    `${flag} must be a time such as 2026-01-31 (in UTC) or 2026-01-31T12:00:00Z, got ${JSON.stringify(text)}`,
  )
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
