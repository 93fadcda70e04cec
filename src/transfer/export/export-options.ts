import type { ExportOptions as WriteOptions } from '../../entity/scan/export/export-options.ts'
import type { MissingShard } from '../../entity/scan/scan-page.ts'

/** Which entities are exported, and in which form. */
export type ExportForm = Pick<
  WriteOptions,
  'format' | 'columns' | 'shards' | 'createdAfter' | 'createdBefore' | 'onShardError'
>

/** What is exported, and how. */
export interface ExportChoices {
  readonly form: ExportForm
  /** One kind after the other; undefined for all, in the order of their creation. */
  readonly kinds: readonly number[] | undefined
  readonly isPacked: boolean
  readonly signal: AbortSignal | undefined
  /** Hears how many entities are written, with those of earlier runs. */
  readonly onProgress: ((entities: number) => void) | undefined
}

/** Where an export to a file is kept. */
export interface ExportPlaces {
  readonly path: string
  readonly journalPath: string
  /** Whether an earlier journal and the file are replaced. */
  readonly isRestart: boolean
}

/** What became of an export that has ended. */
export interface ExportReport {
  readonly entities: number
  /** Whether it went on with an earlier run. */
  readonly isResumed: boolean
  /** The shards that could not be read and were left out, ascending. */
  readonly missingShards: readonly MissingShard[]
}
