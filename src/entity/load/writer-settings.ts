import type { StatementLog } from '../../pool/statement-log.ts'

/** What a batch is written with. */
export interface WriterSettings {
  readonly log: StatementLog
  /** Longest time for one statement, and between two chunks of a COPY. */
  readonly statementTimeoutMs: number
}
