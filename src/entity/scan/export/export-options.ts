import type { Writable } from 'node:stream'
import {
  assertArray,
  assertBoolean,
  assertFunction,
  assertOptions,
  describeType,
} from '../../../arguments/arguments.ts'
import type { MissingShard } from '../scan-page.ts'
import { checkScan, scanNames, type CheckedScan, type ScanOptions } from '../scan-query.ts'

/** Columns of CSV that are there whatever the body is like. */
export const ownColumns: readonly string[] = ['key', 'shard', 'kind', 'created', 'updated']

/** The column of CSV that holds the whole body as JSON, when no columns are asked for. */
export const BODY_COLUMN = 'body'

/** How entities are written. */
export type ExportFormat = 'ndjson' | 'csv'

/** How far an export is. Everything up to `bytes` has been taken by the target, and `cursor` goes on behind it. */
export interface ExportProgress {
  /** Entities written by this export. */
  readonly entities: number
  /** Bytes written by this export. */
  readonly bytes: number
  /** Goes on behind these bytes by `after`: cut the file there first, if more has been written to it. */
  readonly cursor: string
  /** False when nothing came after it at the time. */
  readonly hasMore: boolean
  /** The shards that have been left out so far, ascending. */
  readonly missingShards: readonly MissingShard[]
}

/** Takes the bytes of one page; the next one comes when its promise resolves. What it throws ends the export. */
export type ExportSink = (bytes: Buffer) => void | Promise<void>

/** Where to write: a stream, which is left open, or a function. */
export type ExportTarget = Writable | ExportSink

/** What to export, and how. */
export interface ExportOptions extends ScanOptions {
  /** Default `ndjson`: one object in each line, `{ key, shard, kind, created, updated, body }`. */
  readonly format?: ExportFormat
  /** CSV only: keys of the body that get a column each; default the whole body in one column, as JSON. */
  readonly columns?: readonly string[]
  /** CSV only: whether the first line names the columns; default unless `after` is given. */
  readonly header?: boolean
  /** Hears after each page how far the export is. What it throws ends the export. */
  readonly onProgress?: (progress: ExportProgress) => void
}

/** Checked options of an export. */
export interface CheckedExport {
  readonly scan: CheckedScan
  readonly format: ExportFormat
  readonly columns: readonly string[] | undefined
  readonly hasHeader: boolean
  readonly onProgress: ((progress: ExportProgress) => void) | undefined
}

/** Checks the options of an export; throws what `checkScan` throws. */
export function checkExport(options: unknown, epochMs: number): CheckedExport {
  assertOptions('an export', options, [...scanNames, 'format', 'columns', 'header', 'onProgress'])
  const { format, columns, header, onProgress, ...scan } = options as ExportOptions
  const checked = checkScan(scan, epochMs)
  if (onProgress !== undefined) assertFunction('onProgress', onProgress)
  if (header !== undefined) assertBoolean('header', header)
  return Object.freeze({
    scan: checked,
    format: checkFormat(format, { columns, header }),
    columns: checkColumns(columns),
    hasHeader: header ?? scan.after === undefined,
    onProgress,
  })
}

/** Throws a TypeError unless the value is a stream to write to or a function. */
export function assertTarget(target: unknown): asserts target is ExportTarget {
  const { write, on } = Object(target) as Record<string, unknown>
  const isStream = typeof write === 'function' && typeof on === 'function'
  if (isStream || typeof target === 'function') return
  throw new TypeError(`target must be a writable stream or a function, got ${describeType(target)}`)
}

function checkFormat(format: unknown, csvOnly: object): ExportFormat {
  if (format === 'csv') return format
  if (format !== undefined && format !== 'ndjson') {
    const got = typeof format === 'string' ? `'${format}'` : describeType(format)
    throw new RangeError(`format must be 'ndjson' or 'csv', got ${got}`)
  }
  const [name] = Object.entries(csvOnly).find(([, value]) => value !== undefined) ?? []
  if (name !== undefined) throw new TypeError(`${name} is an option of the format 'csv' only`)
  return 'ndjson'
}

function checkColumns(columns: unknown): readonly string[] | undefined {
  if (columns === undefined) return undefined
  assertArray('columns', columns)
  const given = columns as unknown[]
  given.forEach((column, index) => checkColumn(column, index, given.indexOf(column)))
  if (given.length === 1 && given[0] === BODY_COLUMN) {
    throw new RangeError(
      "columns must not be 'body' alone, which is read as the whole body: name another one beside it",
    )
  }
  return Object.freeze([...(given as string[])])
}

/** Two columns of one name could not be told apart by who reads the file. */
function checkColumn(column: unknown, index: number, firstIndex: number): void {
  const name = `columns[${index}]`
  if (typeof column !== 'string') throw new TypeError(`${name} must be a string, got ${describeType(column)}`)
  if (firstIndex !== index) throw new RangeError(`${name} is the same as columns[${firstIndex}]`)
  if (ownColumns.includes(column)) {
    throw new RangeError(
      `${name} must not be '${column}', which every line has: leave columns out to get the whole body`,
    )
  }
}
