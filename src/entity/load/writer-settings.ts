import type { StatementLog } from '../../pool/statement-log.ts'
import type { EntityGround } from '../entity-ground.ts'

/** What a batch is written with. */
export interface WriterSettings {
  readonly log: StatementLog
  /** Longest time for one statement, and between two chunks of a COPY. */
  readonly statementTimeoutMs: number
}

/** Takes them out of what entities work with. */
export function writerSettings({ log, settings }: Pick<EntityGround, 'log' | 'settings'>): WriterSettings {
  return { log, statementTimeoutMs: settings.statementTimeoutMs }
}
