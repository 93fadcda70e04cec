import type { InputFormat, InputOptions } from '../input/input-format.ts'
import type { UnknownRule } from './import-journal.ts'

/** How the shard of a row is chosen: by a field of its body, or one for all; or rows keep the keys that they were exported with. */
export type ShardChoice = { readonly field: string } | { readonly shardId: number } | { readonly keepsKeys: true }

/** What is imported, and how. */
export interface ImportOptions extends InputOptions {
  readonly format: InputFormat
  readonly shards: ShardChoice
  /** Kind of the rows; those that an export wrote have their own. */
  readonly kind: number | undefined
  /** Where the journal lies; without one an import cannot be gone on with. */
  readonly journalPath: string | undefined
  /** Whether an earlier journal is ignored, and the import begins from the first record. */
  readonly isRestart: boolean
  /** Where rejected records go. */
  readonly rejectsPath: string
  readonly unknown: UnknownRule | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: ImportProgress) => void) | undefined
}

/** How far an import is. */
export interface ImportProgress {
  /** Rows that are stored, with those of earlier runs. */
  readonly rows: number
  /** Records that were rejected, likewise. */
  readonly rejected: number
  /** Bytes of the input whose rows are stored. */
  readonly bytes: number
}

/** What became of an import that has ended. */
export interface ImportReport {
  readonly rows: number
  readonly rejected: number
  /** Where the rejected records are; undefined if none was. */
  readonly rejectsPath: string | undefined
  /** Whether it went on with an earlier run. */
  readonly isResumed: boolean
}
