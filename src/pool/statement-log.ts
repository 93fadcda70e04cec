import { redactSql } from '../sql/redact.ts'
import { sqlstateOf } from './failure.ts'
import type { Logger } from './logger.ts'

/** Where a statement runs. */
export interface StatementPlace {
  readonly serverId: string
  readonly shardId?: number
  /** In the place of `shardId` when one statement is for several. */
  readonly shardIds?: readonly number[]
}

/** Ends the record of one statement: with its number of rows, or with its error. */
export interface StatementRecord {
  succeed(rows: number | null): void
  fail(error: unknown): void
}

const silent: StatementRecord = Object.freeze({ succeed: () => undefined, fail: () => undefined })

/** Tells the logger of every statement: text without values, duration, rows, shard and server. */
export class StatementLog {
  readonly #logger: Logger | undefined

  constructor(logger: Logger | undefined) {
    this.#logger = logger
  }

  /** Begins the record of a statement. Costs nothing when nobody listens at level `debug`. */
  begin(sql: string, place: StatementPlace): StatementRecord {
    const logger = this.#logger
    if (logger === undefined || logger.isLevelEnabled?.('debug') === false) return silent
    const startedAt = performance.now()
    const write = (outcome: object, message: string): void => {
      const durationMs = Number((performance.now() - startedAt).toFixed(3))
      logger.debug({ ...place, sql: redactSql(sql), durationMs, ...outcome }, message)
    }
    return {
      succeed: (rows) => write({ rows }, 'statement'),
      // The message of a PostgreSQL error can quote a value; its SQLSTATE cannot.
      fail: (error) => write({ code: sqlstateOf(error) ?? codeOf(error) }, 'statement failed'),
    }
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : 'unknown'
}
